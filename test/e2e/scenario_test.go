//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// patience is for anything that a server announces by itself.
const patience = time.Minute

const watched = "demo://resource/dynamic/text/1"

// scenarios are what a session is for, in the dialect of the npm server-everything. The scripts in
// clients/ play the same ones with their SDKs.
var scenarios = map[string]func(t *testing.T, url string){
	"basics":       basics,
	"concurrent":   concurrent,
	"progress":     progress,
	"cancellation": cancellation,
	"sampling":     sampling,
	"elicitation":  elicitation,
	"roots":        roots,
	"logging":      logging,
	"subscription": subscription,
	"isolation":    isolation,
	"big":          big,
}

func basics(t *testing.T, url string) {
	p := connect(t, url)
	if name := p.InitializeResult().ServerInfo.Name; name == "" {
		t.Error("the server does not name itself")
	}
	if p.ID() == "" {
		t.Error("there is no session id")
	}
	if !p.has(t, "echo") {
		t.Error("tools/list lacks echo")
	}
	text := "grüße, 世界 \U0001F600 \u2028 \"quoted\""
	if got := p.mustCall(t, "echo", map[string]any{"message": text}); got != "Echo: "+text {
		t.Errorf("echo %q: %q", text, got)
	}
	if err := p.Ping(t.Context(), nil); err != nil {
		t.Errorf("ping: %v", err)
	}
	p.end(t)
}

func concurrent(t *testing.T, url string) {
	p := connect(t, url)
	var calls sync.WaitGroup
	for i := range 20 {
		calls.Go(func() {
			message := fmt.Sprintf("message %d", i)
			got, err := p.call(t.Context(), "echo", map[string]any{"message": message})
			if err != nil || got != "Echo: "+message {
				t.Errorf("call %d of 20 in flight: %q, %v", i, got, err)
			}
		})
	}
	calls.Wait()
	p.end(t)
}

// longRunning is a call with a progress token.
func longRunning(duration, steps int) *mcp.CallToolParams {
	params := &mcp.CallToolParams{
		Name:      "trigger-long-running-operation",
		Arguments: map[string]any{"duration": duration, "steps": steps},
	}
	params.SetProgressToken("token of the call")
	return params
}

func progress(t *testing.T, url string) {
	p := connect(t, url)
	text, err := p.callWith(t.Context(), longRunning(1, 5))
	if err != nil || !strings.Contains(text, "completed") {
		t.Errorf("the call: %q, %v", text, err)
	}
	var seen [][2]float64
	e2etest.Eventually(patience, func() bool { // the SDK may return the answer before it has called the handler for the last one
		p.note(func() { seen = slices.Clone(p.progress) })
		return len(seen) >= 5
	})
	if diff := cmp.Diff([][2]float64{{1, 5}, {2, 5}, {3, 5}, {4, 5}, {5, 5}}, seen); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	p.end(t)
}

func cancellation(t *testing.T, url string) {
	p := connect(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := p.callWith(ctx, longRunning(30, 60))
		ended <- err
	}()
	if !e2etest.Eventually(patience, func() (begun bool) {
		p.note(func() { begun = len(p.progress) > 0 })
		return begun
	}) {
		t.Error("no progress of a call that is to be cancelled")
	}
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a cancelled call came to an answer")
		}
	case <-time.After(testlimit.Wait()):
		t.Fatal("a cancelled call goes on")
	}
	if got := p.mustCall(t, "echo", map[string]any{"message": "still here"}); got != "Echo: still here" {
		t.Errorf("the session after a cancellation: %q", got)
	}
	if p.has(t, "cancelled-operations") {
		var count string
		if !e2etest.Eventually(patience, func() bool {
			count = p.mustCall(t, "cancelled-operations", nil)
			return count == "1"
		}) {
			t.Errorf("the server saw %s cancellations, want 1", count)
		}
	}
	p.end(t)
}

func sampling(t *testing.T, url string) {
	p := connect(t, url)
	text := p.mustCall(t, "trigger-sampling-request", map[string]any{"prompt": "why is that so?", "maxTokens": 7})
	p.note(func() {
		if len(p.sampled) != 1 {
			t.Fatalf("the client was asked %d times, want once", len(p.sampled))
		}
		asked := p.sampled[0]
		if prompt, ok := asked.Messages[0].Content.(*mcp.TextContent); !ok || !strings.Contains(prompt.Text, "why is that so?") {
			t.Errorf("the prompt: %+v", asked.Messages[0].Content)
		}
		if asked.MaxTokens != 7 {
			t.Errorf("the limit: %d, want 7", asked.MaxTokens)
		}
	})
	if !strings.Contains(text, "because") || !strings.Contains(text, "e2e-model") {
		t.Errorf("the client's answer did not reach the server: %s", text)
	}
	p.end(t)
}

func elicitation(t *testing.T, url string) {
	p := connect(t, url)
	text := p.mustCall(t, "trigger-elicitation-request", nil)
	p.note(func() {
		if len(p.elicited) != 1 || !strings.Contains(fmt.Sprint(p.elicited[0].RequestedSchema), "name") {
			t.Errorf("the client was asked %d times: %+v", len(p.elicited), p.elicited)
		}
	})
	if !strings.Contains(text, "Name: Ada") || !strings.Contains(text, "Favorite Integer: 7") {
		t.Errorf("the client's answer did not reach the server: %s", text)
	}
	p.end(t)
}

func roots(t *testing.T, url string) {
	p := connect(t, url)
	first := p.mustCall(t, "get-roots-list", nil)
	if !strings.Contains(first, "file:///srv/first") || !strings.Contains(first, "first root") {
		t.Errorf("the client's root: %s", first)
	}
	p.client.AddRoots(&mcp.Root{URI: "file:///srv/second", Name: "second root"}) // sends list_changed
	var second string
	if !e2etest.Eventually(patience, func() bool {
		second = p.mustCall(t, "get-roots-list", nil)
		return strings.Contains(second, "file:///srv/second")
	}) {
		t.Errorf("the server did not ask again: %s", second)
	}
	p.end(t)
}

func logging(t *testing.T, url string) {
	p := connect(t, url)
	ctx := t.Context()
	if err := p.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: "debug"}); err != nil {
		t.Fatalf("set the level: %v", err)
	}
	if err := p.Subscribe(ctx, &mcp.SubscribeParams{URI: watched}); err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	e2etest.Eventually(patience, func() bool { return p.told("Received Subscribe") > 0 })
	if got := p.told("Received Subscribe"); got != 1 {
		t.Errorf("a message at the level came %d times, want once", got)
	}
	if err := p.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: "emergency"}); err != nil {
		t.Fatalf("set the level: %v", err)
	}
	if err := p.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: watched}); err != nil {
		t.Fatalf("unsubscribe: %v", err)
	}
	p.mustCall(t, "echo", map[string]any{"message": "after"})
	if e2etest.Eventually(300*time.Millisecond, func() bool { return p.told("Received Unsubscribe") > 0 }) {
		t.Error("a message below the level came")
	}
	p.end(t)
}

func subscription(t *testing.T, url string) {
	p := connect(t, url)
	ctx := t.Context()
	if err := p.Subscribe(ctx, &mcp.SubscribeParams{URI: watched}); err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	p.mustCall(t, "toggle-subscriber-updates", nil)
	var updates []string
	e2etest.Eventually(patience, func() bool {
		p.note(func() { updates = slices.Compact(slices.Clone(p.updates)) })
		return len(updates) > 0
	})
	if diff := cmp.Diff([]string{watched}, updates); diff != "" {
		t.Errorf("the resources that were updated (-want +got):\n%s", diff)
	}
	read, err := p.ReadResource(ctx, &mcp.ReadResourceParams{URI: watched})
	if err != nil || len(read.Contents) != 1 || read.Contents[0].Text == "" {
		t.Errorf("read the resource: %+v, %v", read, err)
	}
	if err := p.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: watched}); err != nil {
		t.Errorf("unsubscribe: %v", err)
	}
	p.mustCall(t, "toggle-subscriber-updates", nil)
	p.end(t)
}

func isolation(t *testing.T, url string) {
	a := connect(t, url, &mcp.Root{URI: "file:///home/a", Name: "a"})
	b := connect(t, url, &mcp.Root{URI: "file:///home/b", Name: "b"})
	if a.ID() == b.ID() {
		t.Errorf("two clients share the session id %q", a.ID())
	}
	ofA, ofB := a.mustCall(t, "get-roots-list", nil), b.mustCall(t, "get-roots-list", nil)
	if !strings.Contains(ofA, "/home/a") || strings.Contains(ofA, "/home/b") {
		t.Errorf("the roots of a: %s", ofA)
	}
	if !strings.Contains(ofB, "/home/b") || strings.Contains(ofB, "/home/a") {
		t.Errorf("the roots of b: %s", ofB)
	}
	if a.has(t, "pid") {
		if one, two := a.mustCall(t, "pid", nil), b.mustCall(t, "pid", nil); one == two {
			t.Errorf("two sessions share process %s", one)
		}
	}
	ended := a.ID()
	a.end(t)
	if status := ping(t, url, ended); status != http.StatusNotFound {
		t.Errorf("ping in an ended session: HTTP %d, want 404", status)
	}
	if got := b.mustCall(t, "echo", map[string]any{"message": "untouched"}); got != "Echo: untouched" {
		t.Errorf("the other session: %q", got)
	}
	b.end(t)
}

// ping posts one in a session, as plain HTTP, and returns the status.
func ping(t *testing.T, url, session string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	request.Header.Set("Mcp-Session-Id", session)
	request.Header.Set("Mcp-Protocol-Version", "2025-06-18")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

func big(t *testing.T, url string) {
	p := connect(t, url)
	unit := "0123456789 äöü 漢字 \U0001F600\n"
	message := strings.Repeat(unit, (3<<20)/len(unit))
	if got := p.mustCall(t, "echo", map[string]any{"message": message}); got != "Echo: "+message {
		t.Errorf("3 MiB came back different: %d bytes of %d", len(got), len(message)+6)
	}
	p.end(t)
}
