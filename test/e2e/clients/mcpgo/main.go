// Command mcpgo is a client of mcp-go, which is not the official SDK, that plays one scenario against
// one MCP endpoint.
//
//	mcpgo URL SCENARIO [ARG...]
//
// It prints a JSON line a check ({"check", "ok", "detail"}) and exits 0 only if every one passed. The
// scenarios are those of clients/typescript/client.mjs of the same names.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

const (
	wait = 20 * time.Second // for anything that a server announces by itself
	uri  = "demo://resource/dynamic/text/1"
)

var scenarios = map[string]func(p *peer, args []string) error{
	"basics": basics, "concurrent": concurrent, "progress": progress, "logging": logging, "subscription": subscription, "call": call,
}

func main() {
	if len(os.Args) < 3 || scenarios[os.Args[2]] == nil {
		fmt.Fprintln(os.Stderr, "usage: mcpgo URL SCENARIO [ARG...]")
		os.Exit(2)
	}
	if err := play(os.Args[1], scenarios[os.Args[2]], os.Args[3:]); err != nil {
		check(os.Args[2]+" runs to its end", false, err.Error())
	} else {
		check("every step was reached", true, nil)
	}
	if failed {
		os.Exit(1)
	}
}

var failed bool

func check(name string, ok bool, detail any) {
	failed = failed || !ok
	text := fmt.Sprint(detail)
	line, _ := json.Marshal(map[string]any{"check": name, "ok": ok, "detail": text[:min(len(text), 2000)]})
	fmt.Println(string(line))
}

// peer is a connected client with what the server has said by itself.
type peer struct {
	*client.Client
	ctx context.Context

	mu    sync.Mutex
	heard []mcp.JSONRPCNotification
	next  int64 // id of a request that the library has no method for
}

func play(url string, scenario func(*peer, []string) error, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c, err := client.NewStreamableHttpClient(url, transport.WithContinuousListening())
	if err != nil {
		return err
	}
	p := &peer{Client: c, ctx: ctx, next: 1_000_000}
	c.OnNotification(func(n mcp.JSONRPCNotification) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.heard = append(p.heard, n)
	})
	if err := c.Start(ctx); err != nil {
		return err
	}
	hello := mcp.InitializeRequest{}
	hello.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	hello.Params.ClientInfo = mcp.Implementation{Name: "mcpfunc-e2e-mcpgo", Version: "1"}
	info, err := c.Initialize(ctx, hello)
	if err != nil {
		return err
	}
	check("the server names itself", info.ServerInfo.Name != "", info.ServerInfo.Name)
	check("there is a session id", c.GetSessionId() != "", c.GetSessionId())
	if err := scenario(p, args); err != nil {
		return err
	}
	return c.Close() // which sends DELETE
}

// notes returns what has been heard of a method.
func (p *peer) notes(method string) (params []map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.heard {
		if n.Method == method {
			params = append(params, n.Params.AdditionalFields)
		}
	}
	return params
}

func (p *peer) call(tool string, args any, meta *mcp.Meta) (string, error) {
	request := mcp.CallToolRequest{}
	request.Params.Name, request.Params.Arguments, request.Params.Meta = tool, args, meta
	result, err := p.CallTool(p.ctx, request)
	if err != nil {
		return "", fmt.Errorf("%s: %w", tool, err)
	}
	var texts []string
	for _, content := range result.Content {
		texts = append(texts, mcp.GetTextFromContent(content))
	}
	text := strings.Join(texts, "\n")
	if result.IsError {
		return "", fmt.Errorf("%s: %s", tool, text)
	}
	return text, nil
}

func (p *peer) has(tool string) (bool, error) {
	list, err := p.ListTools(p.ctx, mcp.ListToolsRequest{})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list.Tools, func(t mcp.Tool) bool { return t.Name == tool }), nil
}

// ask sends a request that the library has no method for.
func (p *peer) ask(method string, params any) error {
	p.next++
	answer, err := p.GetTransport().SendRequest(p.ctx, transport.JSONRPCRequest{
		JSONRPC: mcp.JSONRPC_VERSION, ID: mcp.NewRequestId(p.next), Method: method, Params: params,
	})
	if err == nil && answer.Error != nil {
		err = fmt.Errorf("%s: %s", method, answer.Error.Message)
	}
	return err
}

func until(what string, condition func() bool) error {
	for end := time.Now().Add(wait); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%s: nothing after %s", what, wait)
		}
	}
	return nil
}

func basics(p *peer, _ []string) error {
	ok, err := p.has("echo")
	if err != nil {
		return err
	}
	check("tools/list has echo", ok, nil)
	text := "grüße, 世界 \U0001F600 \u2028 \"quoted\""
	echoed, err := p.call("echo", map[string]any{"message": text}, nil)
	if err != nil {
		return err
	}
	check("tools/call echoes the text", echoed == "Echo: "+text, echoed)
	return p.Ping(p.ctx)
}

func concurrent(p *peer, _ []string) error {
	var calls sync.WaitGroup
	got := make([]string, 20)
	for i := range got {
		calls.Go(func() {
			text, err := p.call("echo", map[string]any{"message": fmt.Sprint("message ", i)}, nil)
			if got[i] = text; err != nil {
				got[i] = err.Error()
			}
		})
	}
	calls.Wait()
	for i, text := range got {
		check("20 calls in flight each get their own answer", text == fmt.Sprint("Echo: message ", i), text)
	}
	return nil
}

func progress(p *peer, _ []string) error {
	text, err := p.call("trigger-long-running-operation", map[string]any{"duration": 1, "steps": 5}, &mcp.Meta{ProgressToken: "token of the call"})
	if err != nil {
		return err
	}
	check("the answer comes", strings.Contains(text, "completed"), text)
	if err := until("progress", func() bool { return len(p.notes("notifications/progress")) >= 5 }); err != nil {
		return err
	}
	var seen []string
	for _, n := range p.notes("notifications/progress") {
		seen = append(seen, fmt.Sprint(n["progressToken"], " ", n["progress"], "/", n["total"]))
	}
	want := []string{"token of the call 1/5", "token of the call 2/5", "token of the call 3/5", "token of the call 4/5", "token of the call 5/5"}
	check("five notifications arrive in order", reflect.DeepEqual(seen, want), seen)
	return nil
}

func logging(p *peer, _ []string) error {
	told := func(word string) (n int) {
		for _, m := range p.notes("notifications/message") {
			if strings.Contains(fmt.Sprint(m["data"]), word) {
				n++
			}
		}
		return n
	}
	level := mcp.SetLevelRequest{}
	level.Params.Level = mcp.LoggingLevelDebug
	if err := p.SetLevel(p.ctx, level); err != nil {
		return err
	}
	if err := p.ask("resources/subscribe", map[string]any{"uri": uri}); err != nil {
		return err
	}
	if err := until("a log message", func() bool { return told("Received Subscribe") > 0 }); err != nil {
		return err
	}
	check("a message at the level arrives once", told("Received Subscribe") == 1, told("Received Subscribe"))
	level.Params.Level = mcp.LoggingLevelEmergency
	if err := p.SetLevel(p.ctx, level); err != nil {
		return err
	}
	if err := p.ask("resources/unsubscribe", map[string]any{"uri": uri}); err != nil {
		return err
	}
	if _, err := p.call("echo", map[string]any{"message": "after"}, nil); err != nil {
		return err
	}
	time.Sleep(300 * time.Millisecond)
	check("one below the level does not", told("Received Unsubscribe") == 0, told("Received Unsubscribe"))
	return nil
}

func subscription(p *peer, _ []string) error {
	if err := p.ask("resources/subscribe", map[string]any{"uri": uri}); err != nil {
		return err
	}
	if _, err := p.call("toggle-subscriber-updates", map[string]any{}, nil); err != nil {
		return err
	}
	updates := func() []map[string]any { return p.notes("notifications/resources/updated") }
	if err := until("resources/updated", func() bool { return len(updates()) > 0 }); err != nil {
		return err
	}
	check("an update names the resource", updates()[0]["uri"] == uri, updates())
	if err := p.ask("resources/unsubscribe", map[string]any{"uri": uri}); err != nil {
		return err
	}
	_, err := p.call("toggle-subscriber-updates", map[string]any{}, nil)
	return err
}

func call(p *peer, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("call wants a tool, its arguments and a text, not %d arguments", len(args))
	}
	ok, err := p.has(args[0])
	if err != nil {
		return err
	}
	check("tools/list has "+args[0], ok, nil)
	text, err := p.call(args[0], json.RawMessage(args[1]), nil)
	if err != nil {
		return err
	}
	check(args[0]+" answers", strings.Contains(text, args[2]), text)
	return nil
}
