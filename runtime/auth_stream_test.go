package mcpfunc

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
)

// expiring is an Auth whose tokens are how long they are good for, from the beginning of the test.
type expiring struct{ began time.Time }

func (e expiring) Verify(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	life, err := time.ParseDuration(token)
	if err != nil {
		return nil, &AuthError{http.StatusUnauthorized, "authentication_required", "Missing or invalid Authorization header"}
	}
	return &auth.TokenInfo{UserID: "alice", Expiration: e.began.Add(life)}, nil
}

func (expiring) Environ(context.Context, string, *auth.TokenInfo) (map[string]string, error) {
	return nil, nil
}

// Every kind of stream ends when the token that opened it does, a minute for clocks that differ
// apart, and the session goes on for a caller that comes back with a newer one.
func TestStreamsEndWithTheirToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, err := New(&Config{Servers: []Server{{Name: "fake", Command: "fake"}}}, &Options{
			Auth:   expiring{time.Now()},
			Logger: slog.New(slog.DiscardHandler),
			Launcher: LauncherFunc(func(context.Context, Server, []string) (Process, error) {
				return mcptest.Run(func(in io.Reader, out io.Writer) error {
					mcptest.Server(in, out, io.Discard, os.Exit)
					return nil
				}), nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		web, stop := mcptest.Serve(app)
		defer stop()
		defer app.Close()
		began := time.Now()
		send := func(method, path, session, token, body string) *http.Response {
			t.Helper()
			r, err := http.NewRequest(method, "http://mcp.test"+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream, application/json"}, "Authorization": {"Bearer " + token}}
			if session != "" {
				r.Header.Set("Mcp-Session-Id", session)
			}
			resp, err := web.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
		opened := send("POST", "/api/mcp", "", "10m", initialize)
		io.Copy(io.Discard, opened.Body)
		session := opened.Header.Get("Mcp-Session-Id")
		if session == "" {
			t.Fatalf("no session: %d", opened.StatusCode)
		}
		const silent = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"silent"}}`
		for _, stream := range []struct {
			what string
			resp *http.Response
			want time.Duration
		}{
			{"a standalone stream", send("GET", "/api/mcp", session, "5m", ""), 6 * time.Minute},
			{"a wait for a session", send("GET", "/api/mcp", "my-own-id", "7m", ""), 8 * time.Minute},
			{"HTTP with SSE", send("GET", "/api/mcp/sse", "", "8m", ""), 9 * time.Minute},
			{"an answer that streams", send("POST", "/api/mcp", session, "9m", silent), 10 * time.Minute},
		} {
			if stream.resp.StatusCode != http.StatusOK {
				t.Fatalf("%s: %d", stream.what, stream.resp.StatusCode)
			}
			io.Copy(io.Discard, stream.resp.Body)
			stream.resp.Body.Close()
			if got := time.Since(began); got != stream.want {
				t.Errorf("%s ended after %s, want %s", stream.what, got, stream.want)
			}
		}
		again := send("POST", "/api/mcp", session, "1h", listTools)
		if io.Copy(io.Discard, again.Body); again.StatusCode != http.StatusOK {
			t.Errorf("the session, with a newer token: %d", again.StatusCode)
		}
	})
}

// An issuance is an issuer that is asked about tokens, in memory.
type issuance struct {
	revoked, down atomic.Bool
	asked         atomic.Int64
}

func (i *issuance) RoundTrip(r *http.Request) (*http.Response, error) {
	i.asked.Add(1)
	body := `{"active":false}`
	token := r.FormValue("token")
	switch {
	case i.down.Load():
		return nil, errors.New("the issuer is away")
	case strings.HasPrefix(token, "good") && !i.revoked.Load():
		body = `{"active":true,"sub":"alice","aud":"` + publicURL + `/api/mcp/fake"}`
	}
	w := httptest.NewRecorder()
	w.WriteString(body)
	return w.Result(), nil
}

// revocable is an app whose tokens an issuance judges. It must be made in a bubble.
func revocable(t *testing.T, i *issuance, change ...func(*Config)) (app *App, send func(method, path, session, token, accept, body string) *http.Response) {
	t.Helper()
	s := Server{Name: "fake", Command: "fake"}
	s.method = config.Auth{Method: config.AuthOAuth2Bearer, OAuth2IntrospectionEndpoint: "https://issuer.example/introspect"}
	cfg := &Config{PublicURL: publicURL, Servers: []Server{s}}
	for _, c := range change {
		c(cfg)
	}
	app, err := New(cfg, &Options{
		Logger: slog.New(slog.DiscardHandler), transport: i,
		Launcher: LauncherFunc(func(context.Context, Server, []string) (Process, error) {
			return mcptest.Run(func(in io.Reader, out io.Writer) error {
				mcptest.Server(in, out, io.Discard, os.Exit)
				return nil
			}), nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	web, stop := mcptest.Serve(app)
	t.Cleanup(func() {
		app.Close()
		stop()
	})
	return app, func(method, path, session, token, accept, body string) *http.Response {
		t.Helper()
		r, err := http.NewRequest(method, "http://mcp.test"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {accept}, "Authorization": {"Bearer " + token}}
		if session != "" {
			r.Header.Set("Mcp-Session-Id", session)
		}
		resp, err := web.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
}

const (
	eitherForm = "application/json, text/event-stream"
	silentCall = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"silent"}}`
)

// A token that its issuer has revoked is good for nothing a minute later at the latest, whatever it has opened.
func TestT34RevokedTokensEndWhatTheyHaveOpened(t *testing.T) {
	for name, open := range map[string]func(send func(method, path, session, token, accept, body string) *http.Response, session string) *http.Response{
		"a standalone stream": func(send func(method, path, session, token, accept, body string) *http.Response, session string) *http.Response {
			return send("GET", "/api/mcp/fake", session, "good", "text/event-stream", "")
		},
		"a wait for a session": func(send func(method, path, session, token, accept, body string) *http.Response, _ string) *http.Response {
			return send("GET", "/api/mcp/fake", "my-own-id", "good", "text/event-stream", "")
		},
		"HTTP with SSE": func(send func(method, path, session, token, accept, body string) *http.Response, _ string) *http.Response {
			return send("GET", "/api/mcp/fake/sse", "", "good", "text/event-stream", "")
		},
		"an answer that streams": func(send func(method, path, session, token, accept, body string) *http.Response, session string) *http.Response {
			return send("POST", "/api/mcp/fake", session, "good", "text/event-stream", silentCall)
		},
		"an answer that may stream": func(send func(method, path, session, token, accept, body string) *http.Response, session string) *http.Response {
			return send("POST", "/api/mcp/fake", session, "good", eitherForm, silentCall)
		},
		"an answer as one body": func(send func(method, path, session, token, accept, body string) *http.Response, session string) *http.Response {
			return send("POST", "/api/mcp/fake", session, "good", "application/json", silentCall)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := &issuance{}
				_, send := revocable(t, issuer, func(cfg *Config) { cfg.PublicURL = publicURL })
				opened := send("POST", "/api/mcp/fake", "", "good", eitherForm, initialize)
				io.Copy(io.Discard, opened.Body)
				began := time.Now()
				const at = 3*time.Minute + 41*time.Second
				time.AfterFunc(at, func() { issuer.revoked.Store(true) })
				resp := open(send, opened.Header.Get("Mcp-Session-Id"))
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if got := time.Since(began); got < at || got > at+time.Minute {
					t.Errorf("ended %s after the token was revoked", got-at)
				}
				if name == "an answer as one body" && (resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "") {
					t.Errorf("answer %d %q, want 401 with a challenge", resp.StatusCode, body)
				}
				if n := issuer.asked.Load(); n > 8 {
					t.Errorf("the issuer was asked %d times in %s", n, time.Since(began))
				}
			})
		})
	}
}

// An issuer that is away for a moment costs nobody a stream, and one that stays away all that it could revoke.
func TestT34StreamsOutliveAShortOutageOfTheIssuer(t *testing.T) {
	for outage, survives := range map[time.Duration]bool{50 * time.Second: true, 10 * time.Minute: false} {
		synctest.Test(t, func(t *testing.T) {
			issuer := &issuance{}
			_, send := revocable(t, issuer)
			opened := send("POST", "/api/mcp/fake", "", "good", eitherForm, initialize)
			io.Copy(io.Discard, opened.Body)
			time.AfterFunc(90*time.Second, func() { issuer.down.Store(true) })
			time.AfterFunc(90*time.Second+outage, func() { issuer.down.Store(false) })
			began := time.Now()
			resp := send("GET", "/api/mcp/fake", opened.Header.Get("Mcp-Session-Id"), "good", "text/event-stream", "")
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if got := time.Since(began); survives && got < 20*time.Minute || !survives && (got < 2*time.Minute || got > 5*time.Minute) {
				t.Errorf("with an outage of %s the stream ended after %s", outage, got)
			}
		})
	}
}

// A client that takes one body alone is told when its token ends, too.
func TestT34CallsThatAnswerAsOneBodyEndWithTheirToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, err := New(&Config{Servers: []Server{{Name: "fake", Command: "fake"}}}, &Options{
			Auth: expiringForGood{}, Logger: slog.New(slog.DiscardHandler),
			Launcher: LauncherFunc(func(context.Context, Server, []string) (Process, error) {
				return mcptest.Run(func(in io.Reader, out io.Writer) error {
					mcptest.Server(in, out, io.Discard, os.Exit)
					return nil
				}), nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		web, stop := mcptest.Serve(app)
		defer stop()
		defer app.Close()
		began := time.Now()
		r, _ := http.NewRequest("POST", "http://mcp.test/api/mcp", strings.NewReader(silentCall))
		r.Header = http.Header{
			"Content-Type": {"application/json"}, "Accept": {"application/json"},
			"Authorization": {"Bearer " + began.Add(5*time.Minute).Format(time.RFC3339)},
		}
		resp, err := web.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := time.Since(began); resp.StatusCode != http.StatusUnauthorized || got < 5*time.Minute || got > 6*time.Minute+time.Second {
			t.Errorf("%d after %s, want 401 a minute after the token's end", resp.StatusCode, got)
		}
	})
}

// expiringForGood is an Auth whose tokens are the time of their end.
type expiringForGood struct{ expiring }

func (expiringForGood) Verify(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	end, err := time.Parse(time.RFC3339, token)
	if err != nil || time.Now().After(end) {
		return nil, &AuthError{http.StatusUnauthorized, "authentication_required", "Missing or invalid Authorization header"}
	}
	return &auth.TokenInfo{UserID: "alice", Expiration: end}, nil
}
