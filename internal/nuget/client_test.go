package nuget_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/nugettest"
)

var tool = []string{"DotnetTool", "McpServer"}

// small is a package of that version, with nothing much in it.
func small(t *testing.T, id, version string) []byte {
	return nugettest.Nupkg(t, id, version, tool, map[string]string{"tools/any/any/x": version})
}

// client is one with a cache of its own, that waits for nobody.
func client(t *testing.T) *nuget.Client {
	return &nuget.Client{Cache: nuget.Cache{Dir: t.TempDir()}, Pause: []time.Duration{0, 0}}
}

func from(t *testing.T, feeds ...*nugettest.Feed) nuget.Sources {
	t.Helper()
	var s nuget.Sources
	for _, f := range feeds {
		source, err := nuget.NewSource(f.URL, f.URL, "")
		if err != nil {
			t.Fatal(err)
		}
		s.List = append(s.List, source)
	}
	return s
}

func parseRange(t *testing.T, text string) nuget.Range {
	t.Helper()
	r, err := nuget.ParseRange(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantError fails the test unless err is one sentence with these words, and has a hint with those.
func wantError(t *testing.T, err error, text, hint string) {
	t.Helper()
	var e *nuget.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), text) || !strings.Contains(e.Hint, hint) || hint == "" && e.Hint != "" {
		t.Errorf("error %v (%+v), want %q with the hint %q", err, e, text, hint)
	}
	if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "s3cret")) {
		t.Errorf("error %q is more than one sentence, or tells a secret", err)
	}
}

func TestResolveTakesTheNewestThatIsListed(t *testing.T) {
	t.Parallel()
	for _, shape := range []struct {
		name string
		set  func(*nugettest.Feed)
	}{
		{"registration in one document", func(*nugettest.Feed) {}},
		{"registration in pages", func(f *nugettest.Feed) { f.Pages = true }},
		{"registration alone", func(f *nugettest.Feed) { f.NoFolder = true }},
		{"no registration", func(f *nugettest.Feed) { f.Plain = true }},
	} {
		t.Run(shape.name, func(t *testing.T) {
			t.Parallel()
			feed := nugettest.New(t, small(t, "Acme.X", "1.0.0"), small(t, "Acme.X", "1.2.0"), small(t, "Acme.X", "2.0.0"), small(t, "Acme.X", "2.1.0-Beta.1"))
			shape.set(feed)
			feed.Unlist("Acme.X", "2.0.0")
			newest := "1.2.0"
			if feed.Plain {
				newest = "2.0.0" // a folder of packages does not know what is listed
			}
			c := client(t)
			for text, want := range map[string]string{"": newest, "*-*": "2.1.0-Beta.1", "1.0.*": "1.0.0", "2.0.0": "2.0.0"} {
				v, err := c.Resolve(t.Context(), from(t, feed), "ACME.x", parseRange(t, text))
				if err != nil || !strings.EqualFold(v.String(), want) { // a folder of packages has lower case alone
					t.Errorf("%q: %s, %v, want %s", text, v, err, want)
					continue
				}
				file, err := c.Fetch(t.Context(), from(t, feed), "ACME.x", v, "")
				if err != nil {
					t.Errorf("%s: %v", v, err)
					continue
				}
				p, err := nuget.Open(file.Path)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				if err := p.Is("acme.X", v); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestFetchAsksForNothingThatIsInTheCache(t *testing.T) {
	t.Parallel()
	feed := nugettest.New(t, small(t, "Acme.X", "1.0.0"))
	c := client(t)
	v, err := c.Resolve(t.Context(), from(t, feed), "Acme.X", nuget.Newest(false))
	if err != nil {
		t.Fatal(err)
	}
	file, err := c.Fetch(t.Context(), from(t, feed), "Acme.X", v, "")
	if err != nil {
		t.Fatal(err)
	}
	feed.Asked()
	offline := &nuget.Client{Cache: c.Cache, Offline: true}
	for _, want := range []nuget.Digest{"", file.Digest} {
		if again, err := offline.Fetch(t.Context(), from(t, feed), "acme.x", v, want); err != nil || again != file {
			t.Errorf("with %q: %+v, %v, want %+v", want, again, err, file)
		}
	}
	if again, err := offline.Resolve(t.Context(), from(t, feed), "acme.x", nuget.Newest(false)); err != nil || again.Compare(v) != 0 {
		t.Errorf("offline the newest is %s, %v, want %s", again, err, v)
	}
	feed.Add(t, small(t, "Acme.X", "3.0.0"))
	if _, err := c.Versions(t.Context(), from(t, feed), "Acme.X"); err != nil {
		t.Fatal(err)
	}
	if again, err := offline.Resolve(t.Context(), from(t, feed), "acme.x", nuget.Newest(false)); err != nil || again.Compare(v) != 0 {
		t.Errorf("offline the newest is %s, %v, want %s: the other was never downloaded", again, err, v)
	}
	feed.Asked()
	_, err = offline.Fetch(t.Context(), from(t, feed), "Acme.Y", v, "")
	wantError(t, err, "Acme.Y 1.0.0 was never downloaded", "without --offline")
	_, err = offline.Resolve(t.Context(), from(t, feed), "Acme.Y", nuget.Newest(false))
	wantError(t, err, "Acme.Y was never downloaded", "without --offline")
	if asked := feed.Asked(); len(asked) > 0 {
		t.Errorf("offline it asked for %q", asked)
	}

	// What is not what it was is downloaded again.
	if err := os.WriteFile(file.Path, []byte("spoilt"), 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err := c.Fetch(t.Context(), from(t, feed), "Acme.X", v, file.Digest); err != nil || again != file {
		t.Errorf("after the cache was spoilt: %+v, %v", again, err)
	}
}

func TestFetchSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	feed := nugettest.New(t, small(t, "Acme.X", "1.0.0"), small(t, "Acme.X", "1.1.0"), small(t, "Pre", "1.0.0-a"))
	feed.Break = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "broken") {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	}
	closed := nugettest.New(t, small(t, "Acme.X", "1.0.0"))
	closed.User, closed.Password = "me", "s3cret"
	other, err := nuget.ParseVersion("9.0")
	if err != nil {
		t.Fatal(err)
	}
	one, _ := parseRange(t, "1.0.0").Exact()
	c, ctx := client(t), t.Context()
	fetch := func(s nuget.Sources, id string, v nuget.Version, want nuget.Digest) error {
		_, err := c.Fetch(ctx, s, id, v, want)
		return err
	}
	source := func(text string) nuget.Sources {
		s, err := nuget.NewSource(text, text, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return nuget.Sources{List: []nuget.Source{s}}
	}
	wantError(t, fetch(from(t, feed), "Acme.X", other, ""), "has no version 9.0.0 of Acme.X", "the newest are 1.1.0, 1.0.0")
	wantError(t, fetch(from(t, feed), "Acme.Y", one, ""), "has no package Acme.Y", "spelling")
	_, err = c.Resolve(ctx, from(t, feed), "Pre", nuget.Newest(false))
	wantError(t, err, "Pre has only prereleases", "--prerelease, or as Pre@1.0.0-a")
	_, err = c.Resolve(ctx, from(t, feed), "Acme.X", parseRange(t, "3.*"))
	wantError(t, err, "has no version 3.* of Acme.X", "1.1.0")
	wantError(t, fetch(from(t, feed), "broken", one, ""), "answers 502", "--offline")
	wantError(t, fetch(from(t, closed), "Acme.X", one, ""), "requires credentials (401)", "packageSourceCredentials")
	wantError(t, fetch(source(strings.Replace(closed.URL, "//", "//me:s3cret2@", 1)), "Acme.X", one, ""), "rejects the credentials", "NuGet.Config")
	wantError(t, fetch(source("http://127.0.0.1:1/v3/index.json?sig=s3cret"), "Acme.X", one, ""), "cannot reach 127.0.0.1:1", "--offline")
	wantError(t, fetch(source("http://feed.example/v3/index.json"), "Acme.X", one, ""), "without TLS", "HTTPS")
	wantError(t, fetch(source(strings.TrimSuffix(feed.URL, "/v3/index.json")+"/api/v2"), "Acme.X", one, ""), "is not a NuGet v3 feed", "/index.json")
	wantError(t, fetch(source(strings.Replace(feed.URL, "/v3/", "/v4/", 1)), "Acme.X", one, ""), "no service index", "/index.json")
	wantError(t, fetch(source("./nowhere"), "Acme.X", one, ""), "cannot be read", "--source")
	wantError(t, fetch(nuget.Sources{}, "Acme.X", one, ""), "is not mapped to any package source", "packageSourceMapping")
	wrong := nuget.Digest("MJ7MSJwS1utMxA9QyQLytNDtd+5RGnx6m808qG1M2G+YndNbxf9JlnDaNCVbRbDP2DDoH2Bdz33FVC6TrpzXbw==")
	wantError(t, fetch(from(t, feed), "Acme.X", one, wrong), "has the SHA-512", "pack --upgrade")
	if left, _ := filepath.Glob(filepath.Join(c.Cache.Dir, "packages", "*")); len(left) > 0 {
		t.Errorf("after failures alone the cache has %q", left)
	}
	if err := fetch(source(strings.Replace(closed.URL, "//", "//me:s3cret@", 1)), "Acme.X", one, ""); err != nil {
		t.Errorf("with its password: %v", err)
	}
}

// A source that does not answer counts as empty where that is asked for, and one that stumbles is asked again.
func TestFetchTriesAgainAndElsewhere(t *testing.T) {
	t.Parallel()
	good := nugettest.New(t, small(t, "Acme.X", "1.0.0"))
	stumbles := 2
	good.Break = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, ".nupkg") || stumbles == 0 {
			return false
		}
		stumbles--
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "half")
		return true
	}
	away := nugettest.New(t)
	away.Break = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	sources := from(t, away, good)
	one, _ := parseRange(t, "1.0.0").Exact()
	if _, err := client(t).Fetch(t.Context(), sources, "Acme.X", one, ""); err == nil {
		t.Error("a source that is away went unnoticed")
	}
	stumbles = 2
	sources.IgnoreFailed = true
	if _, err := client(t).Fetch(t.Context(), sources, "Acme.X", one, ""); err != nil {
		t.Errorf("with the other source ignored: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t).Fetch(ctx, sources, "Acme.X", one, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A password goes to the host of the source, and to nobody that it points to.
func TestCredentialsStayWithTheirHost(t *testing.T) {
	t.Parallel()
	var seen []string
	elsewhere := nugettest.New(t, small(t, "Acme.X", "1.0.0"))
	elsewhere.Break = func(_ http.ResponseWriter, r *http.Request) bool {
		seen = append(seen, r.Header.Get("Authorization"))
		return false
	}
	feed := nugettest.New(t)
	feed.User, feed.Password = "me", "s3cret"
	feed.Break = func(w http.ResponseWriter, r *http.Request) bool {
		if _, _, ok := r.BasicAuth(); !ok || r.URL.Path != "/v3/index.json" {
			return false
		}
		fmt.Fprintf(w, `{"version": "3.0.0", "resources": [{"@id": %q, "@type": "PackageBaseAddress/3.0.0"}]}`, strings.TrimSuffix(elsewhere.URL, "v3/index.json")+"flat")
		return true
	}
	s, err := nuget.NewSource("private", strings.Replace(feed.URL, "//", "//me:s3cret@", 1), "")
	if err != nil {
		t.Fatal(err)
	}
	one, _ := parseRange(t, "1.0.0").Exact()
	if _, err := client(t).Fetch(t.Context(), nuget.Sources{List: []nuget.Source{s}}, "Acme.X", one, ""); err != nil {
		t.Fatal(err)
	}
	if len(seen) == 0 || slices.ContainsFunc(seen, func(h string) bool { return h != "" }) {
		t.Errorf("the other host was given %q", seen)
	}
}

func TestFolderIsASource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"Acme.X.1.0.0.nupkg": small(t, "Acme.X", "1.0.0"), "acme.x/1.1.0/acme.x.1.1.0.nupkg": small(t, "Acme.X", "1.1.0"),
		"Acme.X.Extra.2.0.0.nupkg": small(t, "Acme.X.Extra", "2.0.0"), "Acme.X.txt": nil,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := nuget.NewSource("local", ".", dir)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t)
	c.Offline = true // nothing is asked of a network
	sources := nuget.Sources{List: []nuget.Source{s}}
	v, err := c.Resolve(t.Context(), sources, "ACME.X", nuget.Newest(false))
	if err != nil || v.String() != "1.1.0" {
		t.Fatalf("%s, %v, want 1.1.0", v, err)
	}
	if _, err := c.Fetch(t.Context(), sources, "ACME.X", v, ""); err != nil {
		t.Error(err)
	}
}
