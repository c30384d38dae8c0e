package generator

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// TestMain runs the test binary as the handler of a project when the host started it as one.
func TestMain(m *testing.M) {
	testlimit.NoExitSleep()
	if os.Getenv("GENERATOR_TEST_HANDLER") != "" {
		addr := net.JoinHostPort("127.0.0.1", os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"))
		panic(http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.RequestURI)
		})))
	}
	os.Exit(m.Run())
}

// serve scaffolds p, puts a handler in that answers with the path it is asked for, and starts the
// host in front of it, asking for keys. It returns the host's URL.
func serve(t *testing.T, p Project) string {
	t.Helper()
	dir := t.TempDir()
	write(t, plan(t, p), dir, Init)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, executable), binary, 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, err := hostemu.Start(t.Context(), hostemu.Options{
		Dir: dir, Listener: listener, EnforceKeys: true, Keys: hostemu.Keys{Host: map[string]string{"default": "key"}},
		Env: append(os.Environ(), "GENERATOR_TEST_HANDLER=1", "FUNCTIONS_WORKER_RUNTIME=custom"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close() })
	if err := host.Ready(testlimit.Context(t)); err != nil {
		t.Fatal(err)
	}
	return host.URL()
}

func TestTheHostLetsThroughWhatItShould(t *testing.T) {
	t.Parallel()
	for _, hosting := range []Hosting{HostingCustom, HostingFlex} {
		t.Run(string(hosting), func(t *testing.T) {
			t.Parallel()
			p := withServers("obo", "git") // obo is the default
			p.Config.Servers[0].Auth.Method = config.AuthAzureOBO
			p.Hosting = hosting
			letsThrough(t, serve(t, p), hosting)
		})
	}
}

// letsThrough asks the host at url. Routes of host.json take every method, which the handler tells
// apart, so that only the path and the key decide there.
func letsThrough(t *testing.T, url string, hosting Hosting) {
	t.Helper()
	const open, keyed, nothing = http.StatusOK, http.StatusUnauthorized, http.StatusNotFound
	put, post := nothing, nothing
	if hosting == HostingFlex {
		put, post = keyed, open
	}
	for _, test := range []struct {
		method, path string
		want         int // without a key
	}{
		{"POST", "/api/mcp", open},
		{"DELETE", "/api/mcp", open},
		{"GET", "/api/mcp/sse", open},
		{"POST", "/api/mcp/message?sessionId=1", open},
		{"POST", "/api/mcp/obo", open},
		{"OPTIONS", "/api/mcp/obo", open},
		{"GET", "/api/mcp/obo/sse", open},
		{"GET", "/.well-known/oauth-protected-resource", open},
		{"GET", "/.well-known/oauth-protected-resource/api/mcp/obo", open},
		{"GET", "/api/health", open},

		{"POST", "/api/mcp/git", keyed},
		{"GET", "/api/mcp/git/sse", keyed},
		{"POST", "/api/mcp/git/message?sessionId=1", keyed},
		{"GET", "/", keyed},
		{"GET", "/api/metrics", keyed},
		{"GET", "/api/session_metrics", keyed},

		{"POST", "/API/mcp/GIT", keyed},
		{"POST", "/api/mcp/g%69t", keyed},
		{"POST", "/api/mcp/git/", keyed},
		{"POST", "/api/mcp/obo/%2e%2e/git", keyed},
		{"POST", "/api/mcp/obo/..%2fgit", nothing},
		{"POST", "/api/mcp/obo%2f..%2fgit", nothing},
		{"POST", "/api/mcp/git%2fsse", nothing},
		{"POST", "/api/mcp%2fgit", nothing},
		{"POST", "//api/mcp/git", nothing},
		{"POST", "/api/mcp//git", nothing},
		{"POST", "/api/mcp/other", nothing},
		{"PUT", "/api/mcp/git", put},
		{"POST", "/.well-known/oauth-protected-resource/..%2f..%2fapi/mcp/git", post}, // which is nothing to the handler
		{"POST", "/api/health", post},
		{"GET", "/elsewhere", nothing},
	} {
		seen := strings.ReplaceAll(test.path, "%2f", "%252f") // what stays escaped is escaped again
		if got, body := ask(t, test.method, url+test.path, ""); got != test.want || got == open && body != seen {
			t.Errorf("%s %s: status %d, handler saw %q, want %d and %q", test.method, test.path, got, body, test.want, seen)
		}
		if test.want != keyed {
			continue
		}
		if got, _ := ask(t, test.method, url+test.path, "key"); got != open {
			t.Errorf("%s %s with a key: status %d", test.method, test.path, got)
		}
	}
}

func ask(t *testing.T, method, url, key string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("x-functions-key", key)
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
