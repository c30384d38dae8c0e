package mcpfunc

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Connections to identity providers are kept for the next request. Close closes them.
func TestCloseHangsUpOnIdentityProviders(t *testing.T) {
	issuer := startIssuer(t)
	front := httptest.NewUnstartedServer(issuer.Config.Handler)
	var opened, open atomic.Int32
	front.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened.Add(1)
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	front.Start()
	t.Cleanup(front.Close)
	issuer.Server = front

	s := Server{Name: "issuer", Command: "/none/such", method: issuerAuth(&authLab{issuer: issuer})}
	app, err := New(&Config{PublicURL: publicURL, Servers: []Server{s}}, &Options{Development: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "http://localhost/api/mcp/issuer", strings.NewReader(initialize))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "Bearer "+issuer.token("alice", nil))
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if w.Code == http.StatusUnauthorized || opened.Load() == 0 || open.Load() == 0 {
		t.Fatalf("nothing is tested: status %d, %d connections, %d open", w.Code, opened.Load(), open.Load())
	}
	app.Close()
	for deadline := time.Now().Add(5 * time.Second); open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are still open", open.Load())
		}
	}
}
