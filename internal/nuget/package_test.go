package nuget_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/nugettest"
)

func read(data []byte) (*nuget.Package, error) {
	return nuget.Read(bytes.NewReader(data), int64(len(data)))
}

// spec is a file that every package has.
const spec = `<package><metadata><id>Acme.X</id><version>1.0</version></metadata></package>`

func TestPackageIsExtractedAsItSays(t *testing.T) {
	t.Parallel()
	p, err := read(nugettest.Zip(t, map[string]string{"Acme.X.nuspec": spec, "tools/any/any/C%2B%2B%20x.dll": "a", "tools/any/any/sub/y.so": "b", "tools/": "", "lib/z": "c"}))
	if err != nil {
		t.Fatal(err)
	}
	if p.ID != "Acme.X" || p.Version.String() != "1.0.0" {
		t.Errorf("it is %s %s", p.ID, p.Version)
	}
	dir := filepath.Join(t.TempDir(), "out")
	err = p.Extract(dir, func(name string) string {
		rest, _ := strings.CutPrefix(name, "tools/any/any/")
		if rest == name {
			return ""
		}
		return rest
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"C++ x.dll": "a", "sub/y.so": "b"}, tree(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// tree returns the files below dir, all of which are plain.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || info.Mode()&0o111 != 0 {
			t.Errorf("%s has the mode %s", path, info.Mode())
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestPackageIsNotTrusted(t *testing.T) {
	t.Parallel()
	for want, names := range map[string][]string{
		"not a relative path inside it": {"../x", "a/../../x", "a/./x", "a\\..\\x", "C:x", "a/%2e%2e/x", "a//x", "a\x00b", "con:x", "a/%5Cx", "x/\xff"},
		"two files named":               {"A/b a/B"},
		"a file and a folder named":     {"a a/b", "A/b a"},
		"has two nuspecs":               {"x.nuspec y.nuspec"},
	} {
		for _, list := range names {
			files := map[string]string{"Acme.X.nuspec": spec}
			for name := range strings.FieldsSeq(list) {
				files[name] = "x"
			}
			if p, err := read(nugettest.Zip(t, files)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, %v, want an error with %q", list, p, err, want)
			}
		}
	}
	for want, data := range map[string][]byte{
		"is not a package":     []byte("PK"),
		"a list of files":      withDirectory(t),
		"it has no nuspec":     nugettest.Zip(t, map[string]string{"a/b.nuspec": spec}),
		"neither a file":       withHeader(t, func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }),
		"which is encrypted":   withHeader(t, func(h *zip.FileHeader) { h.Flags |= 1 }),
		`invalid id "../evil"`: nugettest.Zip(t, map[string]string{"a.nuspec": strings.Replace(spec, "Acme.X", "../evil", 1)}),
		"invalid version":      nugettest.Zip(t, map[string]string{"a.nuspec": strings.Replace(spec, "1.0", "latest", 1)}),
		"more than 2048 MB":    withSize(t, 3<<30),
	} {
		if p, err := read(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, want an error with %q", p, err, want)
		}
	}
}

// withHeader is a package with a file whose header is changed.
func withHeader(t *testing.T, change func(*zip.FileHeader)) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"Acme.X.nuspec", "file"} {
		h := &zip.FileHeader{Name: name}
		if name == "file" {
			change(h)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(spec)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withSize is a package with a file that says it has that many bytes.
func withSize(t *testing.T, size uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "file", UncompressedSize64: size, CompressedSize64: 1, Method: zip.Deflate})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withDirectory is a package that says that its list of files begins at its first byte, 20 MB before its end.
func withDirectory(t *testing.T) []byte {
	t.Helper()
	data := append(make([]byte, 20<<20), nugettest.Zip(t, map[string]string{"Acme.X.nuspec": spec})...)
	binary.LittleEndian.PutUint32(data[len(data)-22+16:], 0)
	return data
}

// Whatever a package holds: reading it ends, and what it writes are plain files below the folder, none larger
// than it says.
func FuzzPackage(f *testing.F) {
	f.Add(nugettest.Nupkg(f, "Acme.X", "1.2.0", []string{"DotnetTool"}, map[string]string{
		"tools/net10.0/any/DotnetToolSettings.xml": nugettest.Settings("x", "x.dll"), "tools/net10.0/any/x.dll": "MZ",
		"tools/net10.0/any/x.runtimeconfig.json": nugettest.RuntimeConfig("", "Microsoft.NETCore.App@10.0.0"),
	}))
	f.Add(nugettest.Nupkg(f, "Acme.Y", "1.2.0", []string{"DotnetTool"}, map[string]string{
		"tools/any/any/DotnetToolSettings.xml": nugettest.PointerSettings("y", map[string]string{"linux-x64": "Acme.Y.linux-x64"}),
	}))
	f.Add(nugettest.Zip(f, map[string]string{"a.nuspec": spec, "../x": "y"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := read(data)
		if err != nil {
			return
		}
		if !nuget.ValidID(p.ID) {
			t.Fatalf("id %q", p.ID)
		}
		outer := t.TempDir()
		dir := filepath.Join(outer, "out")
		_ = p.Extract(dir, func(name string) string { return name })
		entries, err := os.ReadDir(outer)
		if err != nil || len(entries) != 1 {
			t.Fatalf("beside the folder there is %v, %v", entries, err)
		}
		tree(t, dir)
		tools, _, err := p.Tools("x64")
		if err != nil {
			return
		}
		for _, tool := range tools {
			if !fs.ValidPath(tool.Dir) || !fs.ValidPath(tool.Entry) {
				t.Fatalf("%+v", tool)
			}
			_, _ = p.Needs(tool)
			for _, name := range p.Files(tool, "x64") {
				if !fs.ValidPath(name) {
					t.Fatalf("file %q", name)
				}
			}
		}
	})
}
