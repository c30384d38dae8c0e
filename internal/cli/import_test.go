package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/importer"
)

func TestAConfigurationIsFetched(t *testing.T) {
	t.Parallel()
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		switch r.URL.Path {
		case "/server.json":
			w.Write([]byte(`{"name": "io.example/acme", "version": "1.0.0", "packages": [{"registryType": "npm", "identifier": "@acme/mcp", "version": "1.0.0", "transport": {"type": "stdio"}}]}`))
		case "/page":
			w.Write([]byte("<!doctype html>"))
		case "/away":
			http.Redirect(w, r, "http://example.com/server.json", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	env, _, _ := testEnv()
	result, err := importFrom(t.Context(), env, server.URL+"/server.json?key=hunter2", importer.Options{})
	if err != nil || result.Servers[0].Name != "acme" || asked != "/server.json?key=hunter2" {
		t.Errorf("%+v, %v, asked for %s", result, err, asked)
	}
	for path, want := range map[string]string{
		"/page?key=hunter2":  "/page: is a web page, not a configuration",
		"/gone?key=hunter2":  "/gone: cannot be fetched: the answer is 404 Not Found",
		"/away?key=hunter2":  "/away: cannot be fetched: is not https: what comes may hold commands that will be run",
		"/round?key=hunter2": "/round: cannot be fetched: is redirected more than five times",
	} {
		_, err := importFrom(t.Context(), env, server.URL+path, importer.Options{})
		if err == nil || err.Error() != server.URL+want {
			t.Errorf("%s: %v", path, err)
		}
	}
	for address, want := range map[string]string{
		"http://example.com/server.json": "is not https",
		"https://":                       "is not a URL",
	} {
		if _, err := importFrom(t.Context(), env, address, importer.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestOtherNamesAreChecked(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"a b": "must be up to 63 letters", "x=": "needs a name", "x=sse": "belongs to the HTTP+SSE transport", "good": "", "a=b=c": ""} {
		_, err := parseAs([]string{word})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("--as %s: %v, want %s", word, err, want)
		}
	}
	if as, err := parseAs([]string{"a=b=c"}); err != nil || as["a=b"] != "c" {
		t.Errorf("%v, %v", as, err)
	}
}

// A bundle's folder may hold links, and what is not the bundle's.
func TestABundleIsLaidDownWithoutLinks(t *testing.T) {
	t.Parallel()
	from, dir := t.TempDir(), t.TempDir()
	for name, mode := range map[string]os.FileMode{"bin/acme": 0o600, "run.sh": 0o755, ".git/config": 0o644} {
		path := filepath.Join(from, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(from, "link")); err != nil {
		if runtime.GOOS == "windows" {
			t.Skip("links need a privilege on Windows: ", err)
		}
		t.Fatal(err)
	}
	s := importer.Server{Name: "acme", Files: os.DirFS(from), Folder: "bundles/acme"}
	s.Parsed.Command = "bundles/acme/bin/acme"
	if err := bundleConflict(dir, []importer.Server{s}); err != nil {
		t.Fatal(err)
	}
	changes, err := layBundles(dir, []importer.Server{s})
	if err != nil || len(changes) != 1 || changes[0].Path != "bundles/acme/" {
		t.Fatalf("%v, %v", changes, err)
	}
	var got []string
	err = filepath.WalkDir(filepath.Join(dir, "bundles"), func(path string, d os.DirEntry, err error) error {
		if info, _ := d.Info(); err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			got = append(got, filepath.ToSlash(rel)+" "+info.Mode().String())
		}
		return err
	})
	if want := "bundles/acme/bin/acme -rwxr-xr-x bundles/acme/run.sh -rwxr-xr-x"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	if err := bundleConflict(dir, []importer.Server{s}); err == nil {
		t.Error("what is there would be written over")
	}
}
