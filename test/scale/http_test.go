//go:build e2e

package scale

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// caller speaks plain HTTP, where a client of an SDK would not send what a test has to.
type caller struct {
	url   string // of the endpoint
	token string // empty for none
}

// reply is what came back.
type reply struct {
	status  int
	session string
	body    string
}

func (c caller) send(t *testing.T, method, id, body string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Content-Type", "application/json")
	if id != "" {
		r.Header.Set("Mcp-Session-Id", id)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header.Get("Mcp-Session-Id"), string(answer)}
}

const (
	initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",` +
		`"capabilities":{"roots":{"listChanged":true}},"clientInfo":{"name":"scale","version":"1"}}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	echo        = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello","message":"hello"}}}`
)

// open opens a session and returns its id.
func (c caller) open(t *testing.T) string {
	t.Helper()
	got := c.send(t, http.MethodPost, "", initialize)
	if got.status != http.StatusOK || got.session == "" {
		t.Fatalf("initialize: %+v", got)
	}
	if next := c.send(t, http.MethodPost, got.session, initialized); next.status != http.StatusAccepted {
		t.Fatalf("initialized: %+v", next)
	}
	return got.session
}

// call calls echo, and fails the test unless the answer is one.
func (c caller) call(t *testing.T, id string) {
	t.Helper()
	if got := c.send(t, http.MethodPost, id, echo); got.status != http.StatusOK || !strings.Contains(got.body, "hello") {
		t.Fatalf("echo at %s: %+v", c.url, got)
	}
}

// at is the endpoint of a server on one instance.
func (i *instance) at(server string) caller { return caller{url: i.url + "/api/mcp/" + server} }

// metrics are what an instance says of itself.
type metrics struct {
	Sessions  int `json:"active_sessions"`
	Opened    int `json:"sessions_opened"`
	Forwarded int `json:"forwarded"`
	Answered  int `json:"answered_for_others"`
	Processes int `json:"total_processes"`
}

func (i *instance) metrics(t *testing.T) (m metrics) {
	t.Helper()
	resp, err := http.Get(i.url + "/api/session_metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// protected is an entry that asks for a token of the issuer.
func protected(issuer *e2etest.Issuer, resource string) server {
	return server{"auth": map[string]any{
		"method": "oauth2_bearer", "oauth2_issuer": issuer.URL, "oauth2_audience": resource, "oauth2_required_scopes": []string{"files:read"},
	}}
}

func milliseconds(seconds float64) string { return fmt.Sprintf("%.1f ms", seconds*1000) }
