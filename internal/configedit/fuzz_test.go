package configedit

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tailscale/hujson"
	"golang.org/x/tools/txtar"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// seed adds the files of testdata, each through the given function.
func seed(f *testing.F, add func(data []byte)) {
	f.Helper()
	full, err := os.ReadFile("../config/testdata/full.json")
	if err != nil {
		f.Fatal(err)
	}
	add(full)
	paths, err := filepath.Glob("testdata/edit/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			add(file.Data)
			add(bytes.ReplaceAll(file.Data, []byte("\n"), []byte("\r\n")))
		}
	}
}

func FuzzEdit(f *testing.F) {
	seed(f, func(data []byte) { f.Add(data, "new", "uvx", "arg", 0) })
	f.Add([]byte("{\"mcpServers\": {\"a\": {\"command\": \"x\"} // c\n}}"), "b", "x", "\u2028\"", 0)
	f.Add([]byte("{\"servers\": {/**/\n\n//c\n\"a\":{\"command\":\"x\"}/*\n*/,//d\r\n\"b\":{\"command\":\"x\"},/*e*/}}"), "b", "x", "", 1)
	f.Fuzz(func(t *testing.T, data []byte, name, command, arg string, victim int) {
		checkEdits(t, data, name, Entry{Command: command, Args: []string{arg}, Env: []EnvVar{{"K", arg}}}, victim)
	})
}

// Comments and blanks may stand between any two tokens, and mutations seldom put them there.
func TestEditHoldsInAnyLayout(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	extras := []string{"", "", "", " ", "\t", "\n", "\r\n  ", " // c\n", "// } \r\n", "/* c */", "/*\n*/", "\n\n// c\n\t", "\n  "}
	some := func() string {
		s := extras[random.IntN(len(extras))]
		if random.IntN(4) == 0 {
			s += extras[random.IntN(len(extras))]
		}
		return s
	}
	for range 500 {
		var b bytes.Buffer
		tokens := []string{"{", `"mcpServers"`, ":", "{"}
		for i := range random.IntN(4) {
			if i > 0 {
				tokens = append(tokens, ",")
			}
			tokens = append(tokens, `"`+string(rune('a'+i))+`"`, ":", "{", `"command"`, ":", `"x"`, "}")
		}
		if tokens[len(tokens)-1] == "}" && random.IntN(2) == 0 {
			tokens = append(tokens, ",")
		}
		tokens = append(tokens, "}", "}")
		for _, token := range tokens {
			b.WriteString(some() + token)
		}
		b.WriteString(some())
		checkEdits(t, b.Bytes(), "new", Entry{Command: "y", Args: []string{"z"}}, random.IntN(3))
		if t.Failed() {
			t.Fatalf("of %q", b.Bytes())
		}
	}
}

// checkEdits adds the entry and removes it again, then removes one of the servers that are there.
func checkEdits(t *testing.T, data []byte, name string, entry Entry, victim int) {
	t.Helper()
	before, beforeErr := config.Parse("", data, nil)
	if after, err := AddServer(data, name, entry); err == nil {
		checkInserted(t, data, after)
		checkAdded(t, before, beforeErr, after, name)
		again, err := RemoveServer(after, name)
		if err != nil {
			t.Fatalf("remove what was added: %v", err)
		}
		checkServers(t, before, again, "")
	} else if !isError(err) {
		t.Errorf("%#v is no *config.Error", err)
	}
	if before == nil || len(before.Servers) == 0 || victim < 0 {
		return
	}
	gone := before.Servers[victim%len(before.Servers)].Name
	after, err := RemoveServer(data, gone)
	if err != nil {
		if gone != before.Runtime.DefaultServer || !isError(err) {
			t.Errorf("remove %q: %#v", gone, err)
		}
		return
	}
	checkInserted(t, after, data)
	checkServers(t, before, after, gone)
}

func isError(err error) bool {
	var e *config.Error
	return errors.As(err, &e)
}

// checkInserted holds that the longer file is the shorter one with two insertions, a comma and an
// entry, between which there is nothing but blanks and comments; or with one insertion, or with a
// value in the place of null.
func checkInserted(t *testing.T, shorter, longer []byte) {
	t.Helper()
	front, back := 0, 0
	for front < min(len(shorter), len(longer)) && shorter[front] == longer[front] {
		front++
	}
	for back < min(len(shorter), len(longer))-front && shorter[len(shorter)-1-back] == longer[len(longer)-1-back] {
		back++
	}
	// The entry may end as the comment in front of it does, so the match can begin inside of that.
	for ; back >= 0; back-- {
		between := shorter[front : len(shorter)-back]
		if hujson.Extra(append(bytes.Clone(between), '\n')).IsValid() || string(between) == "null" {
			return
		}
	}
	t.Errorf("%q is not %q with an entry more", longer, shorter)
}

func checkAdded(t *testing.T, before *config.File, beforeErr error, after []byte, name string) {
	t.Helper()
	file, err := config.Parse("", after, nil)
	if err != nil {
		t.Fatalf("%q does not parse: %v", after, err)
	}
	last := len(file.Servers) - 1
	if file.Servers[last].Name != name {
		t.Fatalf("the last server is %q, not %q", file.Servers[last].Name, name)
	}
	if before == nil {
		if last > 0 {
			t.Fatalf("%d servers from none: %v", last+1, beforeErr)
		}
		return
	}
	diffServers(t, before.Servers, file.Servers[:last])
}

func checkServers(t *testing.T, before *config.File, after []byte, gone string) {
	t.Helper()
	file, err := config.Parse("", after, nil)
	if err != nil {
		t.Fatalf("%q does not parse: %v", after, err)
	}
	var want []config.Server
	if before != nil {
		for _, s := range before.Servers {
			if s.Name != gone {
				want = append(want, s)
			}
		}
	}
	diffServers(t, want, file.Servers)
}

// diffServers compares servers but for their lines.
func diffServers(t *testing.T, want, got []config.Server) {
	t.Helper()
	lines := cmp.Options{cmpopts.IgnoreFields(config.Server{}, "Line"), cmpopts.IgnoreFields(config.Auth{}, "Line"), cmpopts.EquateEmpty()}
	if diff := cmp.Diff(want, got, lines); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
}
