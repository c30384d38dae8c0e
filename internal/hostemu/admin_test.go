package hostemu

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFunctionsGetWhatIsNoPathOfTheHostsOwn(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	for _, request := range []string{
		"GET /admin", "GET /ADMIN/", "GET /admin/x", "GET /admin/host/zzz", "GET /admin/host", "GET /runtime", "GET /runtime/x", "GET /runtime/webhooks",
		"POST /admin/host/status", "DELETE /admin/functions", "GET /x/../admin/y", "GET /",
	} {
		method, path, _ := strings.Cut(request, " ")
		resp, text := b.do(method, path, "")
		if resp.Header.Get("X-Handler") != "yes" || decode[seen](t, text).Method != method {
			t.Errorf("%s is not answered by the function: %s", request, resp.Status)
		}
	}
	if _, text := b.do(http.MethodGet, "/admin/host/status", ""); text != `{"state":"Running","version":"`+HostVersion+`"}` {
		t.Errorf("status %s", text)
	}
}

func TestOwnPathsAskForTheMasterKey(t *testing.T) {
	t.Parallel()
	b := launch(t, envelopeProject(t), "serve", func(o *Options, _ *pace) {
		o.EnforceKeys, o.Keys = true, Keys{
			Master: "m", Host: map[string]string{"default": "h"}, System: map[string]string{"mcp": "s"},
			Function: map[string]map[string]string{"tick": {"default": "f"}},
		}
	}).ready()
	for _, test := range []struct {
		request string
		want    [5]int // without a key, with a wrong one, the function's, the host's, the master key
	}{
		{"GET /admin/host/ping", [5]int{200, 200, 200, 200, 200}},
		{"POST /admin/host/ping", [5]int{200, 200, 200, 200, 200}},
		{"GET /admin/host/status", [5]int{401, 401, 401, 403, 200}},
		{"GET /Admin/Functions/", [5]int{401, 401, 401, 403, 200}},
		{"GET /admin/functions/TICK", [5]int{401, 401, 401, 403, 200}},
		{"GET /admin/functions/none", [5]int{401, 401, 401, 403, 404}},
		{"POST /admin/functions/tick", [5]int{401, 401, 401, 403, 202}},
		{"GET /admin/host/keys", [5]int{401, 401, 401, 403, 501}}, // which does not exist here
		{"GET /runtime/webhooks/mcp", [5]int{404, 404, 404, 404, 404}},
		{"GET /admin/host/zzz", [5]int{404, 404, 404, 404, 404}},
	} {
		method, path, _ := strings.Cut(test.request, " ")
		for i, key := range []string{"", "wrong", "f", "h", "m"} {
			var header []string
			if key != "" {
				header = []string{"X-Functions-Key", key}
			}
			resp, text := b.do(method, path, "", header...)
			if resp.StatusCode != test.want[i] {
				t.Errorf("%s with key %q: %s, want %d", test.request, key, resp.Status, test.want[i])
			}
			if resp.StatusCode >= 400 && (text != "" || resp.Header.Get("Www-Authenticate") != "" || resp.Header.Get("Content-Length") != "0") {
				t.Errorf("%s with key %q: %v %q", test.request, key, resp.Header, text)
			}
		}
	}
	if got := b.status("/admin/host/status", "X-Functions-Key", "s"); got != http.StatusForbidden {
		t.Errorf("a system key: %d", got)
	}
	b.Close() // waits for the timer's call
	if !strings.Contains(b.log.String(), "tick: ticked\n") {
		t.Errorf("log %s", b.log)
	}
}

func TestATemplateThatCannotBeReadStopsTheWholeHost(t *testing.T) {
	t.Parallel()
	for _, route := range []string{"x//y", "{*a?}", "{a}/{a}", "lit?x", "{a:unknown}"} {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			dir := project(t, map[string]string{
				"host.json":         hostJSON(`,"enableProxyingHttpRequest":true`),
				"all/function.json": proxyFunction,
				"bad/function.json": strings.Replace(proxyFunction, "{*path}", route, 1),
			})
			b := launch(t, dir, "serve", nil)
			if err := b.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "bad/function.json: route "+`"`+route) {
				t.Errorf("Ready says %v", err)
			}
			for path, want := range map[string]int{"/x": 503, "/": 503, "/admin/host/ping": 200, "/admin/host/status": 200} {
				if got := b.status(path); got != want {
					t.Errorf("%s: status %d, want %d", path, got, want)
				}
			}
			if _, text := b.do(http.MethodGet, "/admin/host/status", ""); !strings.Contains(text, `"state":"Error"`) {
				t.Errorf("status %s", text)
			}
		})
	}
}

func TestDisabledFunctionsRunWithTheMasterKeyAlone(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{
		"host.json":         hostJSON(`,"enableProxyingHttpRequest":true`),
		"one/function.json": strings.Replace(proxyFunction, "anonymous", "function", 1),
	})
	b := launch(t, dir, "serve", func(o *Options, _ *pace) {
		o.Env = append(o.Env, "AzureWebJobs_one_Disabled=1")
		o.EnforceKeys, o.Keys = true, Keys{Master: "m", Host: map[string]string{"default": "h"}, Function: map[string]map[string]string{"one": {"default": "f"}}}
	}).ready()
	for key, want := range map[string]int{"": 401, "f": 404, "h": 404, "m": 200} {
		if got := b.status("/x?code=" + key); got != want {
			t.Errorf("key %q: status %d, want %d", key, got, want)
		}
	}
}

func TestWithoutAHomePageTheRootIsEmpty(t *testing.T) {
	t.Parallel()
	files := map[string]string{"host.json": hostJSON(`,"enableProxyingHttpRequest":true`), "one/function.json": strings.Replace(proxyFunction, "{*path}", "one", 1)}
	b := launch(t, project(t, files), "serve", func(o *Options, _ *pace) { o.Env = append(o.Env, "AzureWebJobsDisableHomepage=true") }).ready()
	for _, method := range []string{http.MethodGet, http.MethodPost, "FOO"} {
		if resp, text := b.do(method, "/", ""); resp.StatusCode != http.StatusNoContent || text != "" {
			t.Errorf("%s: %s %q", method, resp.Status, text)
		}
	}
	if resp, text := b.do(http.MethodGet, "/two", ""); resp.StatusCode != http.StatusNotFound || text != "" {
		t.Errorf("%s %q", resp.Status, text)
	}
}

// A page in the developer's browser must not run functions, nor list them: neither as another site nor by a name of
// its own that leads here.
func TestOwnPathsAreForThisMachineAlone(t *testing.T) {
	t.Parallel()
	b := launch(t, envelopeProject(t), "serve", func(o *Options, _ *pace) { o.Local = true }).ready()
	for _, request := range []string{"GET /admin/host/status", "GET /admin/functions", "POST /admin/functions/tick", "GET /admin/host/ping"} {
		method, path, _ := strings.Cut(request, " ")
		for _, header := range [][]string{
			{"Host", "evil.example:7071"}, {"Host", "127.0.0.1.evil.example"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		} {
			r := httptest.NewRequest(method, b.URL()+path, nil)
			r.Header.Set(header[0], header[1])
			if header[0] == "Host" {
				r.Host = header[1]
			}
			w := httptest.NewRecorder()
			b.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden {
				t.Errorf("%s with %v: %d", request, header, w.Code)
			}
		}
	}
	if got := b.status("/admin/functions", "Origin", b.URL(), "Sec-Fetch-Site", "same-origin"); got != http.StatusOK {
		t.Errorf("a page of the host itself: %d", got)
	}
	if strings.Contains(b.log.String(), "ticked") {
		t.Error("the timer was run")
	}
}
