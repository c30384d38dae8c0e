package generator

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// stubRuntime stands in for the carried sources where it does not matter what they are, so that a
// change of the runtime changes no golden file.
func stubRuntime() fstest.MapFS {
	return fstest.MapFS{
		"LICENSE": {Data: []byte("a licence\n")},
		"go.mod": {Data: []byte(`module github.com/mcpfunc/mcpfunc

go 1.26.0

require example.com/direct v1.2.3

require (
	example.com/indirect v0.4.0 // indirect
	example.com/other v0.0.0-20260101000000-0123456789ab // indirect
)
`)},
		"go.sum":                    {Data: []byte("example.com/direct v1.2.3 h1:stub=\n")},
		"internal/config/config.go": {Data: []byte("package config\n")},
		"runtime/app.go":            {Data: []byte("package mcpfunc\n")},
	}
}

// storyKey is the session key of every project here: 32 bytes, in base64, that nobody would choose.
const storyKey = "dGhlIHNlc3Npb24ga2V5IG9mIGdvbGRlbiBmaWxlcy4="

// project returns a project with the servers of a configuration file.
func project(t testing.TB, data string) Project {
	t.Helper()
	file, err := config.Parse("mcp_config.json", []byte(data), nil)
	if err != nil {
		t.Fatal(err)
	}
	return Project{Module: "example.com/team/tools", Config: file, ConfigData: []byte(data), Runtime: stubRuntime(), SessionKey: storyKey}
}

// withServers returns a project whose configuration has not passed through the parser, for names
// that the parser would refuse.
func withServers(names ...string) Project {
	file := &config.File{}
	for _, n := range names {
		file.Servers = append(file.Servers, config.Server{Name: n, Command: "true", Enabled: true})
	}
	return Project{Module: "example.com/team/tools", Config: file, Runtime: stubRuntime(), SessionKey: storyKey}
}

func plan(t testing.TB, p Project) *Plan {
	t.Helper()
	made, err := p.Plan()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func write(t testing.TB, p *Plan, dir string, mode Mode) {
	t.Helper()
	if _, err := p.Write(dir, mode, false); err != nil {
		t.Fatal(err)
	}
}

// put writes files, path to text, below dir.
func put(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// tree reads everything below dir: path to text, a folder as "dir", a link as "-> target".
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text := "dir"
		switch {
		case d.Type()&os.ModeSymlink != 0:
			text, err = os.Readlink(path)
			text = "-> " + text
		case d.Type().IsRegular():
			var data []byte
			data, err = os.ReadFile(path)
			text = string(data)
		}
		got[filepath.ToSlash(name)] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
