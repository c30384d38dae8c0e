package funczip

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// project lays files down in a new folder and opens it.
func project(t *testing.T, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestFilesAreThoseThatCoreToolsTakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, ignore string
		files, want  []string
	}{
		{"without a list", "-",
			[]string{"host.json", "a/.GIT/x", "a/.vscode/x", "a/Local.Settings.json", ".gitignore", "project.lock.json", "a/b"},
			[]string{"a/b", "host.json"}},
		{"settings that were about to be written", "-", []string{".mcpfunc-AB12", "a/.mcpfunc-CD34", "b"}, []string{"b"}},
		{"what a run of pack left behind", "-", []string{".mcpfunc-pack-1/packed/a", ".mcpfunc-pack-1/.work/b", "packed/a"}, []string{"packed/a"}},
		{"a line is the beginning of a path", "/docs\nREADME.md\n", []string{"docs/a", "docs.txt", "docsy/a", "a/docs/b", "README.md", "README.mdx"},
			[]string{"README.mdx", "a/docs/b", "docsy/a"}},
		{"a star is one step", "*.go\nsrc/*/x\n", []string{"main.go", "a/main.go", "src/b/x", "src/x", "src/b/c/x"},
			[]string{"a/main.go", "src/b/c/x", "src/x"}},
		{"two stars are any", "src/**/x\n", []string{"src/b/x", "src/b/c/x", "src/x"}, []string{"src/x"}},
		{"what is brought back", "!docs/keep\n# a comment\n\ndocs\r\n", []string{"docs/keep/a", "docs/a"}, []string{"docs/keep/a"}},
		{"a name that is not UTF-8", "caf\xe9\ndocs\n", []string{"docs/a", "b"}, []string{"b"}},
		{"signs are themselves", "a+b\nc?\n[x]\n", []string{"a+b", "aab", "c?d", "cd", "x"}, []string{"aab", "cd", "x"}},
	} {
		files := map[string]string{}
		for _, name := range test.files {
			if runtime.GOOS == "windows" && strings.Contains(name, "?") {
				name = "cd" // which is expected in any case
			}
			files[name] = name
		}
		if test.ignore != "-" {
			files[".funcignore"] = test.ignore
		}
		got, err := Files(project(t, files))
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, err, diff)
		}
	}
}

func TestOnlyTheHandlerIsExecutable(t *testing.T) {
	t.Parallel()
	root := project(t, map[string]string{"bin/handler": "h", "handler": "another", "node_modules/.bin/tool": "t"})
	var out bytes.Buffer
	if err := Write(&out, root, "bin/handler"); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range z.File {
		got[f.Name] = f.Mode().String()
	}
	want := map[string]string{"bin/handler": "-rwxr-xr-x", "handler": "-rw-r--r--", "node_modules/.bin/tool": "-rw-r--r--"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

func TestAHandlerThatWouldNotBePublishedIsAnError(t *testing.T) {
	t.Parallel()
	for _, files := range []map[string]string{{"host.json": ""}, {"handler": "", ".funcignore": "handler"}} {
		err := Write(new(bytes.Buffer), project(t, files), "handler")
		if err == nil || !strings.Contains(err.Error(), `the handler "handler" is not among the files`) {
			t.Errorf("got error %v", err)
		}
	}
}

func TestLinksStayInTheProject(t *testing.T) {
	t.Parallel()
	link := func(target, name string) *os.Root {
		root := project(t, map[string]string{"lib/a": "a"})
		if err := os.Symlink(target, filepath.Join(root.Name(), name)); err != nil {
			t.Fatal(err)
		}
		return root
	}
	got, err := Files(link("lib", "lib64"))
	if diff := cmp.Diff([]string{"lib/a", "lib64/a"}, got); err != nil || diff != "" {
		t.Errorf("link to a folder: %v (-want +got):\n%s", err, diff)
	}
	for target, want := range map[string]string{
		"..":       "out cannot be published: path escapes from parent",
		".":        "out links to a folder that contains it",
		"nowhere":  "out cannot be published: no such file",
		"/etc":     "out cannot be published: path escapes from parent",
		"../../..": "out cannot be published: path escapes from parent",
	} {
		if _, err := Files(link(target, "out")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("link to %s: got error %v, want %s", target, err, want)
		}
	}
}
