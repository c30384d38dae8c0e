package importer

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/configedit"
)

var update = flag.Bool("update", false, "write what is read into the stories of testdata")

// stories returns the files of testdata: each has the file of a client, and what is made of it.
func stories(t testing.TB) map[string]*txtar.Archive {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d stories, %v", len(paths), err)
	}
	all := map[string]*txtar.Archive{}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = archive
	}
	return all
}

// told is what a person gets to know: the error, or what was left out and changed.
func told(result *Result, err error) string {
	var b strings.Builder
	list := func(what string, notes []Note) {
		for _, n := range notes {
			fmt.Fprintf(&b, "%s %s\n", what, n)
			if n.Hint != "" {
				fmt.Fprintf(&b, "  hint: %s\n", n.Hint)
			}
		}
	}
	if err != nil {
		fmt.Fprintf(&b, "error %v\n", err)
		if e := (*config.Error)(nil); errors.As(err, &e) && e.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", e.Hint)
		}
		if n := (*NoneError)(nil); errors.As(err, &n) {
			list("left out", n.LeftOut)
		}
		return b.String()
	}
	fmt.Fprintf(&b, "format %s\n", result.Format)
	list("left out", result.LeftOut)
	list("changed", result.Changed)
	return b.String()
}

func TestStories(t *testing.T) {
	t.Parallel()
	for path, story := range stories(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			result, err := Read("file", story.Files[0].Data, Options{Dir: "/"})
			got := &txtar.Archive{Comment: story.Comment, Files: []txtar.File{story.Files[0], {Name: "told", Data: []byte(told(result, err))}}}
			if err == nil {
				got.Files = append(got.Files, txtar.File{Name: "config", Data: result.Config})
			}
			data := txtar.Format(got)
			if *update {
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(story)), string(data)); diff != "" {
				t.Errorf("%s (-story +read):\n%s", path, diff)
			}
		})
	}
}

// What nobody asked for is not imported, and what is secret is not told.
func TestNothingForeignIsTakenAlong(t *testing.T) {
	t.Parallel()
	for path, story := range stories(t) {
		result, err := Read("file", story.Files[0].Data, Options{Dir: "/"})
		if strings.Contains(told(result, err), "hunter2") {
			t.Errorf("%s: a secret is told:\n%s", path, told(result, err))
		}
		if err == nil && bytes.Contains(result.Config, []byte("hunter2")) {
			t.Errorf("%s: what is not part of a server is imported:\n%s", path, result.Config)
		}
	}
}

// checkResult holds what every import promises.
func checkResult(t *testing.T, data []byte, result *Result, err error) {
	t.Helper()
	if err != nil {
		var e *config.Error
		var none *NoneError
		if !errors.As(err, &e) && !errors.As(err, &none) {
			t.Fatalf("%T: %v", err, err)
		}
		return
	}
	file, err := config.Parse("c.json", result.Config, nil)
	if err != nil {
		t.Fatalf("invalid configuration: %v\n%s", err, result.Config)
	}
	var want, got []string
	for _, s := range result.Servers {
		want = append(want, fmt.Sprintf("%s %t %q %q", s.Name, s.Parsed.Enabled, s.Parsed.Command, s.Parsed.Args))
	}
	for _, s := range file.Servers {
		got = append(got, fmt.Sprintf("%s %t %q %q", s.Name, s.Enabled, s.Command, s.Args))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("servers (-told +written):\n%s", diff)
	}
	if len(result.Servers) == 0 {
		t.Error("there is neither a server nor an error")
	}
}

// What was made of a file is a file that needs nothing made of it.
func TestAnImportIsImportedAsItIs(t *testing.T) {
	t.Parallel()
	for path, story := range stories(t) {
		first, err := Read("file", story.Files[0].Data, Options{Dir: "/"})
		checkResult(t, story.Files[0].Data, first, err)
		if err != nil {
			continue
		}
		second, err := Read("file", first.Config, Options{Dir: "/"})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if len(second.LeftOut)+len(second.Changed) > 0 || !bytes.Equal(first.Config, second.Config) {
			t.Errorf("%s: the second time %s\n%s", path, told(second, nil), second.Config)
		}
	}
}

// bases are configurations that a server is added to.
var bases = []string{
	"{}", "{\"mcpServers\": {}}", "// c\n{\n\t\"mcpServers\": {\n\t\t// d\n\t\t\"base\": {\"command\": \"b\"}, // e\n\t},\n}\n",
	"{\r\n  \"servers\": {\r\n    \"base\": {\r\n      \"command\": \"b\"\r\n    }\r\n  }\r\n}\r\n",
	"{\"mcpServers\":{\"base\":{\"command\":\"b\"}},\"runtime\":{\"log_level\":\"info\"}}",
}

// An imported server is written like any other: every other byte stays, and without it the file is
// what it was.
func TestTheEditorAddsImportedServersAndLeavesEveryOtherByte(t *testing.T) {
	t.Parallel()
	for path, story := range stories(t) {
		result, err := Read("file", story.Files[0].Data, Options{Dir: "/"})
		if err != nil {
			continue
		}
		for _, base := range bases {
			data := []byte(base)
			for _, s := range result.Servers {
				before := data
				if data, err = configedit.AddServer(before, s.Name, s.Entry); err != nil {
					t.Fatalf("%s: %s: %v", path, s.Name, err)
				}
				checkOneInsertion(t, path, before, data)
			}
			for _, s := range slices.Backward(result.Servers) {
				if data, err = configedit.RemoveServer(data, s.Name); err != nil {
					t.Fatalf("%s: %s: %v", path, s.Name, err)
				}
			}
			if base != "{}" && string(data) != base && !strings.Contains(base, `{}`) {
				t.Errorf("%s: after all were removed:\n%q\nwant\n%q", path, data, base)
			}
		}
	}
}

// checkOneInsertion holds an edit to what it may do: insert, in one place, and a comma before it.
func checkOneInsertion(t *testing.T, path string, before, after []byte) {
	t.Helper()
	i := 0
	for i < len(before) && before[i] == after[i] {
		i++
	}
	j := 0
	for j < len(before)-i && before[len(before)-1-j] == after[len(after)-1-j] {
		j++
	}
	if rest := strings.Trim(string(before[i:len(before)-j]), " \t\r\n"); rest != "" && !strings.HasPrefix(rest, "//") {
		t.Errorf("%s: %q is gone\nbefore %q\nafter %q", path, rest, before, after)
	}
}

// A file of our own form is edited in place: what is said of no server stays, byte for byte.
func TestAFileOfOurFormIsEditedInPlace(t *testing.T) {
	t.Parallel()
	data := "\ufeff{\r\n  // top\r\n  \"inputs\": [ ],\r\n  \"servers\": {\r\n    \"a\": { \"command\": \"x\" }, // a\r\n" +
		"    \"B c\": {\r\n      // in\r\n      \"command\": \"npx.cmd\",\r\n      \"args\": [ \"-y\", \"p@1\" ] // end\r\n    },\r\n" +
		"    \"far\": { \"type\": \"http\", \"url\": \"https://x\" }\r\n  }\r\n}"
	want := "{\r\n  // top\r\n  \"inputs\": [ ],\r\n  \"servers\": {\r\n    \"a\": { \"command\": \"x\" }, // a\r\n" +
		"    \"b-c\": {\r\n      // in\r\n      \"command\": \"npx\",\r\n      \"args\": [ \"-y\", \"p@1\" ] // end\r\n    }\r\n  }\r\n}"
	result, err := Read("mcp.json", []byte(data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(result.Config)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Without anything to change it is the file, mark and all.
	data = "\ufeff{\"servers\": {\"a\": {\"command\": \"x\"}}} // end"
	if result, err = Read("mcp.json", []byte(data), Options{}); err != nil || string(result.Config) != data {
		t.Errorf("got %q, %v", result.Config, err)
	}
}

// What a person would be asked for is next to the servers, and is of no use in another file.
func TestAnEntryThatGoesAwayTakesItsInputsAlong(t *testing.T) {
	t.Parallel()
	data := []byte(`{"inputs": [{"id": "region", "default": "eu"}], "servers": {"a": {"command": "x", "args": ["${input:region}"]}}}`)
	for _, test := range []struct {
		opts Options
		want string
	}{
		{Options{}, "${input:region}"},
		{Options{Away: true}, "${REGION:-eu}"},
		{Options{Only: "a"}, "${REGION:-eu}"},
	} {
		result, err := Read("mcp.json", data, test.opts)
		if err != nil || result.Servers[0].Parsed.Args[0] != test.want {
			t.Errorf("%+v: %+v, %v, want %s", test.opts, result, err, test.want)
		}
		checkResult(t, data, result, err)
	}
}

func TestUTF16IsRead(t *testing.T) {
	t.Parallel()
	text := `{"servers": {"a": {"command": "é"}}}`
	for mark, low := range map[string]bool{"\xff\xfe": true, "\xfe\xff": false} {
		data := []byte(mark)
		for _, r := range text {
			if low {
				data = append(data, byte(r), byte(r>>8))
			} else {
				data = append(data, byte(r>>8), byte(r))
			}
		}
		result, err := Read("mcp.json", data, Options{})
		if err != nil || result.Servers[0].Parsed.Command != "é" || !strings.Contains(string(result.Config), `"command": "é"`) {
			t.Errorf("%v, %v", result, err)
		}
	}
}

func TestOneServerAndOtherNames(t *testing.T) {
	t.Parallel()
	data := []byte(`{"mcpServers": {"a b": {"command": "x"}, "c": {"command": "y"}, "far": {"url": "https://x"}}}`)
	for _, test := range []struct {
		opts Options
		want string
	}{
		{Options{Only: "a b"}, "[a-b]"},
		{Options{Only: "a b", As: map[string]string{"": "new"}}, "[new]"},
		{Options{As: map[string]string{"a b": "new", "c": "other"}}, "[new other]"},
		{Options{As: map[string]string{"a b": "c"}}, "[c c-2]"},
		{Options{As: map[string]string{"": "new"}}, `c.json: contains 3 servers, and "new" can name only one of them`},
		{Options{As: map[string]string{"gone": "new"}}, `c.json: there is no server "gone"`},
		{Options{Only: "gone"}, `c.json: there is no server "gone"`},
		{Options{Only: "far"}, `c.json:1: server "far": is a remote server, which already has a URL, at x: mcpfunc serves only programs that speak stdio`},
	} {
		result, err := Read("c.json", data, test.opts)
		var names []string
		if err == nil {
			for _, s := range result.Servers {
				names = append(names, s.Name)
			}
			checkResult(t, data, result, nil)
		}
		if got := fmt.Sprint(names); err != nil && err.Error() != test.want || err == nil && got != test.want {
			t.Errorf("%+v: got %s, %v, want %s", test.opts, got, err, test.want)
		}
	}
	list := stories(t)["testdata/registry-list.txtar"].Files[0].Data
	for _, only := range []string{"io.github.acme/two", "two"} {
		result, err := Read("r.json", list, Options{Only: only})
		if err != nil || len(result.Servers) != 1 || result.Servers[0].Name != "two" || result.Servers[0].Parsed.Args[1] != "@acme/two@1.0.0" {
			t.Errorf("%s: %+v, %v", only, result, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	big := strings.Repeat(" ", config.MaxSize)
	for name, data := range map[string]string{
		"large JSON":   `{"mcpServers": {"a": {"command": "x"}}}` + big,
		"large TOML":   "[mcp_servers.a]\ncommand = \"x\"\n#" + big,
		"large YAML":   "extensions:\n  a: {cmd: x, type: stdio}\n#" + big,
		"deep JSON":    `{"mcpServers": ` + strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100) + "}",
		"deep TOML":    "[mcp_servers.a]\ncommand = " + strings.Repeat("[", 100_000),
		"deep YAML":    "extensions: " + strings.Repeat("[", 100_000),
		"deep entry":   "[mcp_servers.a]\nx = " + strings.Repeat("[", 100) + strings.Repeat("]", 100),
		"YAML laughs":  "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\nextensions:\n  a: {cmd: x, args: *f}\n",
		"YAML circle":  "extensions:\n  a: &a {cmd: x, env: *a}\n",
		"UTF-16, half": "\xff\xfe{",
	} {
		if result, err := Read("file", []byte(data), Options{}); err == nil {
			t.Errorf("%s: is read as %s", name, result.Config)
		} else if len(err.Error()) > 300 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
	// A client's state has a history that is larger, and deeper, than any configuration.
	state := `{"mcpServers": {"a": {"command": "x"}}, "projects": {"/p": {"history": [` + strings.Repeat(`{"display": "`+strings.Repeat("y", 1000)+`"},`, 2000) + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `]}}}`
	if result, err := Read("any.json", []byte(state), Options{Dir: "/p"}); err != nil || len(result.Config) > 200 {
		t.Errorf("a large state: %v", err)
	}
}
