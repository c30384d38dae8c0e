package mcpfunc_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/auth"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// teamKeys knows one user per key.
type teamKeys map[string]string

func (k teamKeys) Verify(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	user, ok := k[token]
	if !ok {
		return nil, &mcpfunc.AuthError{
			Status: http.StatusUnauthorized, Code: "authentication_required", Message: "Missing or invalid Authorization header",
		}
	}
	return &auth.TokenInfo{UserID: user}, nil
}

// Environ tells the process whose it is.
func (k teamKeys) Environ(_ context.Context, _ string, caller *auth.TokenInfo) (map[string]string, error) {
	return map[string]string{"ZZ_USER": caller.UserID}, nil
}

// Callers who are known by keys of the team's own. A session belongs to the user that opened it.
func ExampleAuth() {
	app, err := mcpfunc.New(
		&mcpfunc.Config{Servers: []mcpfunc.Server{{Name: "greeter", Command: "greeter"}}},
		&mcpfunc.Options{
			Auth:     teamKeys{"key-of-alice": "alice", "key-of-bob": "bob"},
			Launcher: mcpfunc.LauncherFunc(greeter), // as in the example of LauncherFunc
			Logger:   slog.New(slog.DiscardHandler),
		},
	)
	if err != nil {
		log.Fatal(err)
	}
	defer app.Close()
	srv := httptest.NewServer(app)
	defer srv.Close()

	session := ""
	post := func(key, body string) {
		req, _ := http.NewRequest(http.MethodPost, srv.URL+"/api/mcp/greeter", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		if session != "" {
			req.Header.Set("Mcp-Session-Id", session)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
			session = id
		}
		fmt.Println(resp.Status)
	}
	const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`
	post("", initialize)
	post("key-of-alice", initialize)
	post("key-of-alice", `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	post("key-of-bob", `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	// Output:
	// 401 Unauthorized
	// 200 OK
	// 200 OK
	// 404 Not Found
}
