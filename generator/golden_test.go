package generator

import (
	"bytes"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the want files of testdata/golden")

const goldenDir = "../testdata/golden"

// TestGolden plays the stories of testdata/golden. The comment of one says what it shows; its line
// "project:" holds the fields of Project as name=, module=, auth-level=, hosting= and extras=, which
// lists docker, azd, github and redis with commas. mcp_config.json is the
// configuration, have/... is the folder's content before, and then either want/... is every file
// that is there afterwards, with a listing in place of third_party, or "conflict" is the refusal.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, story := range stories(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			have := section(story, "have/")
			put(t, dir, have)
			got, err := outcome(t, dir, plan(t, storyProject(t, story)))
			if err != nil {
				if diff := cmp.Diff(have, files(t, dir)); diff != "" {
					t.Errorf("refused, but changed the folder (-before +after):\n%s", diff)
				}
			}
			if *update {
				rewrite(t, name, story, got)
				return
			}
			want := section(story, "want/")
			if refusal := section(story, "conflict"); len(refusal) > 0 {
				want = map[string]string{"conflict": refusal[""]}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("differs from the story (-want +got), if that is meant: go test ./generator -run TestGolden -update\n%s", diff)
			}
		})
	}
}

// outcome writes p into dir and returns the files that a story lists, or the refusal as "conflict".
func outcome(t *testing.T, dir string, p *Plan) (map[string]string, error) {
	t.Helper()
	_, err := p.Write(dir, Init, false)
	if conflict := (*ConflictError)(nil); errors.As(err, &conflict) {
		return map[string]string{"conflict": conflict.Error() + "\n"}, err
	}
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	var carried []string
	for path, text := range files(t, dir) {
		switch {
		case isCarried(path):
			carried = append(carried, strings.TrimPrefix(path, carriedDir+"/")+"\n")
		case path != "mcp_config.json": // the story's own input, see TestConfigIsCarriedByteForByte
			got[path] = text
		}
	}
	slices.Sort(carried)
	got["third_party"] = strings.Join(carried, "")
	return got, nil
}

// files is tree without the folders.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := tree(t, dir)
	maps.DeleteFunc(all, func(_, text string) bool { return text == "dir" })
	return all
}

// stories returns the archives of testdata/golden by name, with LF line ends whatever git made.
func stories(t *testing.T) map[string]*txtar.Archive {
	t.Helper()
	paths, err := filepath.Glob(goldenDir + "/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stories in %s: %v", goldenDir, err)
	}
	all := map[string]*txtar.Archive{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = txtar.Parse(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")))
	}
	return all
}

// section returns the files of an archive whose names begin with prefix, without it.
func section(a *txtar.Archive, prefix string) map[string]string {
	found := map[string]string{}
	for _, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, prefix); ok {
			found[name] = string(f.Data)
		}
	}
	return found
}

func storyProject(t *testing.T, story *txtar.Archive) Project {
	t.Helper()
	p := project(t, section(story, "mcp_config.json")[""])
	p.Module = ""
	for line := range strings.Lines(string(story.Comment)) {
		options, ok := strings.CutPrefix(line, "project:")
		if !ok {
			continue
		}
		for _, option := range strings.Fields(options) {
			switch key, value, _ := strings.Cut(option, "="); key {
			case "name":
				p.Name = value
			case "module":
				p.Module = value
			case "auth-level":
				p.AuthLevel = AuthLevel(value)
			case "hosting":
				p.Hosting = Hosting(value)
			case "extras":
				p.Extras = Extras{
					Docker: strings.Contains(value, "docker"),
					AZD:    strings.Contains(value, "azd"),
					GitHub: strings.Contains(value, "github"),
					Redis:  strings.Contains(value, "redis"),
				}
			default:
				t.Fatalf("story has an unknown option %q", option)
			}
		}
	}
	return p
}

// rewrite replaces what a story expects by what came out.
func rewrite(t *testing.T, name string, story *txtar.Archive, got map[string]string) {
	t.Helper()
	story.Files = slices.DeleteFunc(story.Files, func(f txtar.File) bool {
		return strings.HasPrefix(f.Name, "want/") || f.Name == "conflict"
	})
	for _, path := range slices.Sorted(maps.Keys(got)) {
		f := txtar.File{Name: "want/" + path, Data: []byte(got[path])}
		if path == "conflict" {
			f.Name = path
		}
		story.Files = append(story.Files, f)
	}
	if err := os.WriteFile(filepath.Join(goldenDir, name), txtar.Format(story), 0o644); err != nil {
		t.Fatal(err)
	}
}
