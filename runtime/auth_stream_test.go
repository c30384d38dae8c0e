package mcpfunc

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

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
// apart, and the session goes on for whoever comes back with a newer one.
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
