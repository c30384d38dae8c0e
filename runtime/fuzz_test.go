package mcpfunc

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// FuzzHTTP sends arbitrary requests to a server that answers everything. It is never a panic, never
// an empty 200, never a hang, and never leaves a slip or a session that nobody knows.
func FuzzHTTP(f *testing.F) {
	f.Add("POST", "/api/mcp", "", "", "application/json", []byte(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}`))
	f.Add("POST", "/api/mcp", "live", "2025-03-26", "application/json", []byte(`[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]`))
	f.Add("POST", "/api/mcp", "live", "", "application/json; charset=utf-8", []byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`))
	f.Add("POST", "/api/mcp/fake", "chosen", "2025-06-18", "application/json", []byte(`{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"progress","arguments":{"count":3},"_meta":{"progressToken":0}}}`))
	f.Add("GET", "/api/mcp", "live", "0-1", "", []byte(nil))
	f.Add("DELETE", "/api/mcp", "live", "", "", []byte(nil))
	f.Add("GET", "/api/mcp/sse", "", "", "", []byte(nil))
	f.Add("POST", "/api/mcp/message?sessionId=x", "", "", "application/json", []byte(`{}`))
	f.Fuzz(func(t *testing.T, method, path, id, version, kind string, body []byte) {
		r, err := http.NewRequest(method, "http://mcp.test"+path, bytes.NewReader(body))
		if err != nil || !strings.HasPrefix(r.URL.Path, "/") {
			return
		}
		a, err := New(&Config{Servers: []Server{{Name: "fake", Command: "fake", RequestTimeout: 100 * time.Millisecond}}}, &Options{
			Logger: slog.New(slog.DiscardHandler), Drain: time.Nanosecond, Grace: time.Nanosecond,
			Launcher: LauncherFunc(func(context.Context, Server, []string) (Process, error) {
				return mcptest.Run(func(in io.Reader, out io.Writer) error {
					mcptest.Server(in, out, io.Discard, func(int) {})
					return nil
				}), nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			a.Close()
			if s := a.table.Stats(); s.Sessions != 0 || s.Processes != 0 || s.Opened != s.Ended {
				t.Errorf("left over: %+v", s)
			}
		}()
		if id == "live" {
			w := httptest.NewRecorder()
			init, _ := http.NewRequest(http.MethodPost, "http://mcp.test/api/mcp",
				strings.NewReader(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}`))
			init.Header.Set("Content-Type", "application/json")
			a.ServeHTTP(w, init)
			id = w.Header().Get("Mcp-Session-Id")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		r = r.WithContext(ctx)
		for name, value := range map[string]string{"Mcp-Session-Id": id, "Mcp-Protocol-Version": version, "Last-Event-Id": version, "Content-Type": kind} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() {
			a.ServeHTTP(w, r)
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(testlimit.Wait()):
			t.Fatal("it hangs")
		}
		if w.Code == http.StatusOK && w.Body.Len() == 0 && ctx.Err() == nil && method != http.MethodHead {
			t.Errorf("an empty 200")
		}
	})
}
