package generator

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

func TestStoryKeyIsOne(t *testing.T) {
	t.Parallel()
	if _, err := ticket.ParseKeys(storyKey); err != nil {
		t.Error(err)
	}
}

func TestNewSessionKeyIsOneAndNobodyElses(t *testing.T) {
	t.Parallel()
	a, b := NewSessionKey(), NewSessionKey()
	if _, err := ticket.ParseKeys(a + "," + b); err != nil || a == b {
		t.Errorf("two keys, the same: %v, %v", a == b, err)
	}
}

func TestSessionKeyStaysOutOfGitPackageAndImage(t *testing.T) {
	t.Parallel()
	eachStory(t, func(t *testing.T, _ *txtar.Archive, _ Project, made *Plan) {
		for _, f := range made.Files {
			if bytes.Contains(f.Data, []byte(storyKey)) != (f.Path == settingsPath) {
				t.Errorf("%s holds the key, or should", f.Path)
			}
			switch f.Path {
			case ".gitignore", ".funcignore":
				if !hasLine(f.Data, "/"+settingsPath) {
					t.Errorf("%s lets %s through", f.Path, settingsPath)
				}
			case ".dockerignore":
				if !hasLine(f.Data, settingsPath) {
					t.Errorf("%s lets %s through", f.Path, settingsPath)
				}
			}
		}
	})
}

func hasLine(data []byte, line string) bool {
	return slices.Contains(strings.Split(string(data), "\n"), line)
}

// Settings belong to one machine: a clone has none, and CI compares without a key.
func TestWithoutAKeySettingsAreNotPlanned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := withServers("git")
	write(t, plan(t, p), dir, Init)
	if err := os.Remove(filepath.Join(dir, settingsPath)); err != nil {
		t.Fatal(err)
	}
	p.SessionKey = ""
	if got := changed(t, plan(t, p), dir); len(got) != 0 {
		t.Errorf("a clone is out of line: %v", got)
	}
	p.SessionKey = storyKey
	if diff := cmp.Diff(map[string]Action{settingsPath: Create}, changed(t, plan(t, p), dir)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestGenerateAddsAKeyAndLeavesEveryOtherByte(t *testing.T) {
	t.Parallel()
	const added = `"MCPFUNC_SESSION_KEY": "` + storyKey + `"`
	for name, test := range map[string]struct{ have, want string }{
		"our own": {
			"{\n  \"IsEncrypted\": false,\n  \"Values\": {\n    \"A\": \"1\"\n  }\n}\n",
			"{\n  \"IsEncrypted\": false,\n  \"Values\": {\n    " + added + ",\n    \"A\": \"1\"\n  }\n}\n"},
		"on one line":   {`{"Values": {"A": "1"}, "Host": {}}`, `{"Values": {` + added + `, "A": "1"}, "Host": {}}`},
		"empty":         {`{"Values": {}}`, `{"Values": {` + added + `}}`},
		"of Windows":    {"\ufeff{\r\n\t\"values\": {\r\n\t\t\"A\": 1,\r\n\t}\r\n}", "\ufeff{\r\n\t\"values\": {\r\n\t\t" + added + ",\r\n\t\t\"A\": 1,\r\n\t}\r\n}"},
		"with comments": {"{\"Values\": { // mine\n  // A\n  \"A\": \"\\u0031\"}}", "{\"Values\": { " + added + ", // mine\n  // A\n  \"A\": \"\\u0031\"}}"},

		"a key":           {`{"Values": {"MCPFUNC_SESSION_KEY": "mine"}}`, ""},
		"in another case": {`{"Values": {"mcpfunc_session_key": "mine"}}`, ""},
		"an empty key":    {`{"Values": {"MCPFUNC_SESSION_KEY": ""}}`, ""},
		"encrypted":       {`{"IsEncrypted": true, "Values": {"A": "CfDJ8"}}`, ""},
		"no values":       {`{"IsEncrypted": false}`, ""},
		"a list":          {`{"Values": []}`, ""},
		"broken":          {`{"Values": {`, ""},
		"nothing":         {``, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := withServers("git")
			write(t, plan(t, p), dir, Init)
			put(t, dir, map[string]string{settingsPath: test.have})
			if got := changed(t, plan(t, p), dir); len(got) != 0 {
				t.Errorf("changed without being asked: %v", got)
			}
			p.AddSessionKey = true
			want, changes := test.want, map[string]Action{settingsPath: Update}
			if want == "" {
				want, changes = test.have, map[string]Action{}
			}
			if diff := cmp.Diff(changes, changed(t, plan(t, p), dir)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, tree(t, dir)[settingsPath]); diff != "" {
				t.Errorf("the file (-want +got):\n%s", diff)
			}
			if got := changed(t, plan(t, p), dir); len(got) != 0 {
				t.Errorf("the second time: %v, want no change", got)
			}
		})
	}
}

// A link leads to a file that is somebody else's.
func TestNoKeyIsAddedThroughALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := withServers("git")
	write(t, plan(t, p), dir, Init)
	path := filepath.Join(dir, settingsPath)
	put(t, dir, map[string]string{"elsewhere.json": `{"Values": {}}`})
	if err := errors.Join(os.Remove(path), os.Symlink("elsewhere.json", path)); err != nil {
		t.Fatal(err)
	}
	p.AddSessionKey = true
	if got := changed(t, plan(t, p), dir); len(got) != 0 {
		t.Errorf("changes %v", got)
	}
}
