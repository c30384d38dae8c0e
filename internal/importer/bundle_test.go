package importer

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// zipped is a zip of these files.
func zipped(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const nodeManifest = `{"manifest_version": "0.3", "name": "Acme", "version": "1.0.0", "server": {"type": "node", "entry_point": "server/index.js"}}`

func TestBundleBringsItsProgram(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"node": "node bundles/acme/server/index.js", "python": "python3 bundles/acme/server/index.js",
		"uv": "uv run bundles/acme/server/index.js", "binary": "bundles/acme/server/index.js",
	} {
		manifest := strings.Replace(nodeManifest, `"node"`, `"`+kind+`"`, 1)
		result, err := Read("acme.mcpb", zipped(t, map[string]string{manifestName: manifest, "server/index.js": "x"}), Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := result.Servers[0]
		if got := strings.Join(append([]string{s.Parsed.Command}, s.Parsed.Args...), " "); got != want || s.Folder != "bundles/acme" {
			t.Errorf("%s: %s in %s, want %s", kind, got, s.Folder, want)
		}
		if data, err := fs.ReadFile(s.Files, "server/index.js"); err != nil || string(data) != "x" {
			t.Errorf("%s: the program is %q, %v", kind, data, err)
		}
	}
}

func TestUnpackedBundleBringsItsProgram(t *testing.T) {
	t.Parallel()
	near := fstest.MapFS{"server/index.js": {Data: []byte("x")}}
	result, err := Read("manifest.json", []byte(nodeManifest), Options{Near: near})
	if err != nil || result.Servers[0].Files == nil || len(result.Changed) > 0 {
		t.Errorf("%+v, %v", result, err)
	}
	result, err = Read("manifest.json", []byte(nodeManifest), Options{Near: fstest.MapFS{}})
	if err != nil || result.Servers[0].Files != nil || !strings.Contains(told(result, nil), "does not include its program") {
		t.Errorf("%s, %v", told(result, err), err)
	}
}

func TestBundleThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	link := func() []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		h := &zip.FileHeader{Name: "server/index.js"}
		h.SetMode(fs.ModeSymlink | 0o777)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("/etc/passwd")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for want, data := range map[string][]byte{
		"is a damaged zip":                           []byte("PK\x03\x04 and nothing"),
		"is a zip file without a manifest.json":      zipped(t, map[string]string{"a": "x"}),
		"contains a file whose path leads out":       zipped(t, map[string]string{manifestName: nodeManifest, "../x": "x"}),
		"contains a link or a device":                link(),
		"has a manifest.json that is not that of an": zipped(t, map[string]string{manifestName: "{}"}),
		"does not contain its entry point":           zipped(t, map[string]string{manifestName: nodeManifest}),
		"has an entry point outside":                 zipped(t, map[string]string{manifestName: strings.Replace(nodeManifest, "server/", "../", 1)}),
		`has a server of type "java" without`:        zipped(t, map[string]string{manifestName: strings.Replace(nodeManifest, `"node"`, `"java"`, 1), "server/index.js": ""}),
		"is not JSON":                                zipped(t, map[string]string{manifestName: "{"}),
	} {
		if _, err := Read("x.mcpb", data, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
