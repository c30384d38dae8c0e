//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// peer is a client of the Go SDK that records what the server sends and answers what the server asks.
type peer struct {
	*mcp.ClientSession
	client *mcp.Client

	mu       sync.Mutex
	logs     []string
	updates  []string
	progress [][2]float64
	sampled  []*mcp.CreateMessageParams
	elicited []*mcp.ElicitParams
}

// connect opens a session, which ends with the test if the test does not end it.
func connect(t *testing.T, url string, roots ...*mcp.Root) *peer {
	t.Helper()
	if len(roots) == 0 {
		roots = []*mcp.Root{{URI: "file:///srv/first", Name: "first root"}}
	}
	p := new(peer)
	p.client = mcp.NewClient(&mcp.Implementation{Name: "mcpfunc-e2e-go", Version: "1"}, &mcp.ClientOptions{
		CreateMessageHandler: func(_ context.Context, r *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			p.note(func() { p.sampled = append(p.sampled, r.Params) })
			return &mcp.CreateMessageResult{
				Role: "assistant", Model: "e2e-model", StopReason: "endTurn", Content: &mcp.TextContent{Text: "because"},
			}, nil
		},
		ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			p.note(func() { p.elicited = append(p.elicited, r.Params) })
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Ada", "check": true, "integer": 7}}, nil
		},
		LoggingMessageHandler: func(_ context.Context, r *mcp.LoggingMessageRequest) {
			p.note(func() { p.logs = append(p.logs, fmt.Sprint(r.Params.Data)) })
		},
		ResourceUpdatedHandler: func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) {
			p.note(func() { p.updates = append(p.updates, r.Params.URI) })
		},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			p.note(func() { p.progress = append(p.progress, [2]float64{r.Params.Progress, r.Params.Total}) })
		},
	})
	p.client.AddRoots(roots...)
	session, err := p.client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url}, nil)
	if err != nil {
		t.Fatalf("connect to %s: %v", url, err)
	}
	p.ClientSession = session
	t.Cleanup(func() { session.Close() })
	return p
}

func (p *peer) note(record func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	record()
}

// told counts the log messages that hold a word.
func (p *peer) told(word string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, log := range p.logs {
		if strings.Contains(log, word) {
			n++
		}
	}
	return n
}

// call returns the text of a tool's answer. A result that says isError is an error.
func (p *peer) call(ctx context.Context, tool string, args map[string]any) (string, error) {
	return p.callWith(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
}

func (p *peer) callWith(ctx context.Context, params *mcp.CallToolParams) (string, error) {
	if params.Arguments == nil || params.Arguments.(map[string]any) == nil {
		params.Arguments = map[string]any{}
	}
	result, err := p.CallTool(ctx, params)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, content := range result.Content {
		if part, ok := content.(*mcp.TextContent); ok {
			text.WriteString(part.Text)
		}
	}
	if result.IsError {
		return "", fmt.Errorf("%s: %s", params.Name, text.String())
	}
	return text.String(), nil
}

// mustCall is call for a test that cannot go on without the answer.
func (p *peer) mustCall(t *testing.T, tool string, args map[string]any) string {
	t.Helper()
	text, err := p.call(t.Context(), tool, args)
	if err != nil {
		t.Fatalf("call %s: %v", tool, err)
	}
	return text
}

// has says whether the server lists a tool.
func (p *peer) has(t *testing.T, tool string) bool {
	t.Helper()
	list, err := p.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatalf("tools/list: %v", err)
	}
	for _, listed := range list.Tools {
		if listed.Name == tool {
			return true
		}
	}
	return false
}

func (p *peer) end(t *testing.T) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Errorf("end the session: %v", err)
	}
}

// arguments turns the JSON of a table into a tool's arguments.
func arguments(t *testing.T, text string) map[string]any {
	t.Helper()
	var args map[string]any
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		t.Fatal(err)
	}
	return args
}
