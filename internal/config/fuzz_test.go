package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// seed adds the files of testdata, each through the given function.
func seed(f *testing.F, add func(data []byte)) {
	f.Helper()
	full, err := os.ReadFile("testdata/full.json")
	if err != nil {
		f.Fatal(err)
	}
	add(full)
	paths, err := filepath.Glob("../configedit/testdata/edit/*.txtar")
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

func FuzzParse(f *testing.F) {
	seed(f, func(data []byte) { f.Add(data, "value") })
	f.Add([]byte(`{"mcpServers": {"a": {"command": "${A:-x}", "auth": {"method": "azure_obo", "azure_client_id": "${B}"}}}}`), `"}, "b": {`)
	f.Add([]byte(`{"servers": {"a": {"command": "x", "args": ["${input:i}", "$${"]}}, "inputs": [{"id": "i", "default": "d"}]}`), "${A}")
	f.Add([]byte("{\"mcp\": {\"server\": {\"a\": {\"disabled\": true, \"type\": \"sse\"}}}} //"), "\x00")
	f.Fuzz(func(t *testing.T, data []byte, value string) {
		lookup := func(string) (string, bool) { return value, true }
		plain, err := Parse("c.json", data, nil)
		checkParsed(t, plain, err)
		resolved, err := Parse("c.json", data, lookup)
		checkParsed(t, resolved, err)
		if plain == nil && resolved != nil {
			t.Error("what is malformed came right by its variables")
		}
		if plain != nil && resolved != nil {
			// Whatever a value is, it changes no more than the strings that it is written into.
			shape := func(file *File) (names []string) {
				for _, s := range file.Servers {
					names = append(names, s.Name)
				}
				return names
			}
			if diff := cmp.Diff(shape(plain), shape(resolved)); diff != "" {
				t.Errorf("servers (-plain +resolved):\n%s", diff)
			}
			if diff := cmp.Diff(plain.Variables, resolved.Variables); diff != "" {
				t.Errorf("variables (-plain +resolved):\n%s", diff)
			}
		}
	})
}

func checkParsed(t *testing.T, file *File, err error) {
	t.Helper()
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Line < 0 || e.Path != "c.json" || e.Err == nil || file != nil {
			t.Errorf("got %+v, %#v", file, err)
		}
		_ = err.Error()
		return
	}
	for _, s := range file.Servers {
		if !serverName.MatchString(s.Name) || s.Line < 1 || s.Enabled && (s.Command == "" || s.Auth.Method == "") {
			t.Errorf("got %+v", s)
		}
	}
	for _, w := range file.Warnings {
		if w.Text == "" || w.Line < 1 {
			t.Errorf("got %+v", w)
		}
	}
}
