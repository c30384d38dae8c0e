package mcpfunc

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/policy"
)

// Tools of the servers below. What someone is not to see says so.
const (
	toolRead  = `{"name":"read","description":"reads a file","inputSchema":{"type":"object","properties":{"path":{"type":"string"}}}}`
	toolWrite = `{"name":"write","title":"Write","description":"writes","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":false}}`
	toolDrop  = `{"name":"drop","description":"CANARY","inputSchema":{"type":"object"}}`
)

// A sly is a server that lists what a test wants it to list, and does whatever it is called for.
type sly struct {
	modern bool
	lists  func(s *slyProcess, cursor string) string // the result of tools/list, or an error; "" for no answer
	other  map[string]string                         // results of other methods

	mu     sync.Mutex
	called []string // names of tools, and methods that are not of the handshake, in all processes
	runs   int      // processes so far
}

type slyProcess struct {
	*sly
	number int // from 1
	lists  int // that it was asked for
	out    io.Writer
}

func (s *sly) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.called = append(s.called, what)
}

func (s *sly) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.called, " ")
}

func tools(list ...string) string { return `{"tools":[` + strings.Join(list, ",") + `]}` }

// listing is a server that lists the same each time.
func listing(list ...string) *sly {
	return &sly{lists: func(*slyProcess, string) string { return tools(list...) }}
}

func (s *sly) launch(context.Context, Server, []string) (Process, error) {
	s.mu.Lock()
	s.runs++
	p := &slyProcess{sly: s, number: s.runs}
	s.mu.Unlock()
	return mcptest.Run(func(in io.Reader, out io.Writer) error {
		p.out = out
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			if p.say(lines.Bytes()) {
				return io.ErrUnexpectedEOF
			}
		}
		return nil
	}), nil
}

// say answers one line, and reports whether the process dies of it.
func (p *slyProcess) say(line []byte) (dies bool) {
	var m struct {
		ID     json.RawMessage
		Method string
		Params json.RawMessage
	}
	var params struct{ Name, URI, Cursor, ProtocolVersion string }
	if json.Unmarshal(line, &m) != nil {
		return false
	}
	json.Unmarshal(m.Params, &params)
	result := `{}`
	switch m.Method {
	case "server/discover":
		if !p.modern {
			fmt.Fprintf(p.out, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}`+"\n", m.ID)
			return false
		}
		result = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}`
	case "initialize":
		result = fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}},"serverInfo":{"name":"sly","version":"1"}}`, params.ProtocolVersion)
	case "tools/list":
		p.lists++
		if result = p.sly.lists(p, params.Cursor); result == "" {
			return false
		}
		if strings.HasPrefix(result, `{"code"`) {
			fmt.Fprintf(p.out, `{"jsonrpc":"2.0","id":%s,"error":%s}`+"\n", m.ID, result)
			return false
		}
	case "notifications/initialized", "ping", "notifications/cancelled":
	case "tools/call":
		p.note(params.Name)
		if params.Name == "die" {
			return true
		}
		result = `{"content":[{"type":"text","text":"called ` + params.Name + `"}]}`
	case "change":
		p.changed()
	default:
		p.note(m.Method)
		if r := p.other[m.Method]; r != "" {
			result = r
		}
	}
	if m.ID != nil {
		fmt.Fprintf(p.out, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", m.ID, result)
	}
	return false
}

// changed tells the client that the tools are others.
func (p *slyProcess) changed() {
	io.WriteString(p.out, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`+"\n")
}

// pinsOf are the pins that pack would write of these tools.
func pinsOf(list ...string) map[string]string {
	pins := map[string]string{}
	for _, tool := range list {
		var named struct{ Name string }
		json.Unmarshal([]byte(tool), &named)
		pins[named.Name] = policy.Digest([]byte(tool), message.Whole([]byte(tool)))
	}
	return pins
}

// An attack is a client that tries to get at what it is not to have.
type attack struct {
	*testing.T
	server  *sly
	app     *App
	http    *http.Client
	log     journal
	session string
	version string
	id      int
	got     strings.Builder // every byte that came back
}

var denyDrop = config.Access{Tools: config.AccessRules{Deny: []string{"drop*"}}}

func enforced(access config.Access) config.Access {
	access.Pin = config.PinEnforce
	return access
}

// serve runs try against an app that serves the server, in a bubble, and sees that the client got to know
// nothing that it may not.
func serve(t *testing.T, server *sly, access config.Access, pins map[string]string, try func(*attack)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &attack{T: t, server: server, version: "2025-11-25"}
		var err error
		a.app, err = New(&Config{Servers: []Server{{Name: "sly", Command: "sly", access: access, pins: pins, StartTimeout: 10 * time.Second, OnLost: "resurrect"}}},
			&Options{SessionKeys: sessionKey(), Logger: slog.New(slog.NewJSONHandler(&a.log, nil)), Launcher: LauncherFunc(server.launch)})
		if err != nil {
			t.Fatal(err)
		}
		var stop func()
		a.http, stop = mcptest.Serve(a.app)
		defer func() {
			stop()
			a.app.Close()
		}()
		try(a)
		if strings.Contains(a.got.String(), "CANARY") {
			t.Errorf("the client was told of what it may not see:\n%s", a.got.String())
		}
	})
}

// post sends a body, and returns status and answer.
func (a *attack) post(body string, header ...string) (int, string) {
	a.Helper()
	r, err := http.NewRequestWithContext(a.Context(), http.MethodPost, "http://mcp.test/api/mcp", strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if a.session != "" {
		r.Header.Set("Mcp-Session-Id", a.session)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := a.http.Do(r)
	if err != nil {
		a.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatal(err)
	}
	a.got.Write(got)
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		a.session = id
	}
	return resp.StatusCode, string(got)
}

// open opens a session.
func (a *attack) open() {
	a.Helper()
	a.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`, a.version))
	if a.session == "" {
		a.Fatalf("no session: %s", a.got.String())
	}
	a.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// ask sends a request within the session, and returns the answer.
func (a *attack) ask(method, params string, header ...string) string {
	a.Helper()
	if a.session == "" {
		a.open()
	}
	a.id++
	_, got := a.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, a.id, method, params), header...)
	return got
}

// modernAsk sends a request of 2026-07-28.
func (a *attack) modernAsk(method, params, name string) (int, string) {
	a.Helper()
	header := []string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", method}
	if name != "" {
		header = append(header, "Mcp-Name", name)
	}
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	if params != "" {
		meta += ","
	}
	return a.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s%s}}`, method, meta, params), header...)
}

// refused wants an answer to be the error of a tool that is not there, and the process not to have heard of it.
func (a *attack) refused(answer, name string) {
	a.Helper()
	quoted, _ := json.Marshal("Unknown tool: " + name)
	if !strings.Contains(answer, `"error":{"code":-32602,"message":`+string(quoted)+`}`) {
		a.Errorf("answer %s, want that %s is unknown", answer, quoted)
	}
	a.unheard(name)
}

func (a *attack) unheard(what string) {
	a.Helper()
	if what != "" && strings.Contains(" "+a.server.heard()+" ", " "+what+" ") {
		a.Errorf("the process heard of %s: %s", what, a.server.heard())
	}
}

func (a *attack) want(answer, part string) {
	a.Helper()
	if !strings.Contains(answer, part) {
		a.Errorf("answer %s, want %s", answer, part)
	}
}

func (a *attack) wantNot(answer, part string) {
	a.Helper()
	if strings.Contains(answer, part) {
		a.Errorf("answer %s, want no %s", answer, part)
	}
}

// Every way that we know to a tool that is denied, by its name.
func TestDenied(t *testing.T) {
	for name, try := range map[string]func(*attack){
		"is in no list": func(a *attack) {
			a.want(a.ask("tools/list", `{}`), `"result":{"tools":[`+toolRead+`]}`)
		},
		"is in no list of a client that takes JSON alone": func(a *attack) {
			a.want(a.ask("tools/list", `{}`, "Accept", "application/json"), `"result":{"tools":[`+toolRead+`]}`)
		},
		"is in no list of a client that takes events alone": func(a *attack) {
			a.want(a.ask("tools/list", `{}`, "Accept", "text/event-stream"), `"result":{"tools":[`+toolRead+`]}`)
		},
		"is on no page": func(a *attack) {
			a.server.lists = func(_ *slyProcess, cursor string) string {
				if cursor == "" {
					return `{"nextCursor":"2","tools":[` + toolDrop + `]}`
				}
				return tools(toolRead, toolDrop)
			}
			a.want(a.ask("tools/list", `{}`), `{"nextCursor":"2","tools":[]}`)
			a.want(a.ask("tools/list", `{"cursor":"2"}`), tools(toolRead))
		},
		"is in no list under an escaped name": func(a *attack) {
			a.server.lists = func(*slyProcess, string) string {
				return tools(`{"name":"\u0064rop","description":"CANARY"}`, `{"n\u0061me":"drop","description":"CANARY"}`, toolRead)
			}
			a.want(a.ask("tools/list", `{}`), tools(toolRead))
		},
		"is in no list under the second of two names": func(a *attack) {
			a.server.lists = func(*slyProcess, string) string {
				return tools(`{"name":"read","name":"drop","description":"CANARY"}`, `{"name":"drop","name":"read","description":"CANARY"}`, `{"name":"read","Name":"drop","description":"CANARY"}`)
			}
			a.want(a.ask("tools/list", `{}`), tools())
		},
		"is in no second list": func(a *attack) {
			a.server.lists = func(*slyProcess, string) string {
				return `{"tools":[` + toolRead + `],"tools":[` + toolDrop + `],"TOOLS":[` + toolDrop + `]}`
			}
			a.want(a.ask("tools/list", `{}`), `{"tools":[`+toolRead+`],"tools":[],"TOOLS":[]}`)
		},
		"is in no list of an anonymous session": func(a *attack) {
			_, got := a.post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
			a.want(got, tools(toolRead))
		},
		"is not called": func(a *attack) {
			a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
			a.refused(a.ask("tools/call", `{"name":"drop"}`), "drop")
		},
		"is not called before any list, without a session": func(a *attack) {
			_, got := a.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop_all"}}`)
			a.refused(got, "drop_all")
		},
		"is not called for JSON alone": func(a *attack) {
			a.refused(a.ask("tools/call", `{"name":"drop"}`, "Accept", "application/json"), "drop")
		},
		"is not called by an escaped name": func(a *attack) {
			a.refused(a.ask("tools/call", `{"n\u0061me":"\u0064rop"}`), "drop")
		},
		"is not called by an escaped method": func(a *attack) {
			a.open()
			_, got := a.post(`{"jsonrpc":"2.0","id":1,"method":"tools\/c\u0061ll","params":{"name":"drop"}}`)
			a.refused(got, "drop")
		},
		"is not called by the first of two names": func(a *attack) {
			a.want(a.ask("tools/call", `{"name":"drop","name":"read"}`), "repeats a member")
			a.want(a.ask("tools/call", `{"name":"read","name":"drop"}`), "repeats a member")
			a.unheard("drop")
			a.unheard("read")
		},
		"is not called by a name in another case": func(a *attack) {
			a.want(a.ask("tools/call", `{"name":"read","Name":"drop"}`), "another case")
			a.unheard("drop")
		},
		"is not called by second params": func(a *attack) {
			a.open()
			for _, key := range []string{"params", "Params", "p\\u0061rams"} {
				status, _ := a.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"},"` + key + `":{"name":"drop"}}`)
				if status != http.StatusBadRequest {
					a.Errorf("%s: status %d", key, status)
				}
			}
			a.unheard("drop")
		},
		"is not called by a second method": func(a *attack) {
			a.open()
			status, _ := a.post(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"name":"drop"},"METHOD":"tools/call"}`)
			if status != http.StatusBadRequest {
				a.Errorf("status %d", status)
			}
			a.unheard("drop")
		},
		"is not called by params in order": func(a *attack) {
			a.refused(a.ask("tools/call", `["drop"]`), "")
			a.refused(a.ask("tools/call", `{"name":["drop"]}`), "")
			a.unheard("drop")
		},
		"is not called by a method in another case": func(a *attack) {
			a.want(a.ask("Tools/Call", `{"name":"drop"}`), "-32601")
			a.want(a.ask("tools/invoke", `{"name":"drop"}`), "-32601")
			if heard := a.server.heard(); heard != "" {
				a.Errorf("the process heard %s", heard)
			}
		},
		"is not called by a notification": func(a *attack) {
			a.open()
			a.post(`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"drop"}}`)
			a.ask("ping", `{}`)
			a.unheard("drop")
		},
		"is not called as a task": func(a *attack) {
			a.refused(a.ask("tools/call", `{"name":"drop","task":{"ttl":1000}}`), "drop")
		},
		"is not called in a batch": func(a *attack) {
			a.version = "2025-03-26"
			a.open()
			_, got := a.post(`[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop"}},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"read"}},` +
				`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"drop"}},{"jsonrpc":"2.0","id":3,"method":"tools/list"}]`)
			a.refused(got, "drop")
			a.want(got, "called read")
			a.want(got, tools(toolRead))
		},
		"is in no answer of a batch of the server": func(a *attack) {
			a.version = "2025-03-26"
			a.server.lists = func(p *slyProcess, _ string) string {
				fmt.Fprintf(p.out, `[{"jsonrpc":"2.0","id":%d,"result":%s}]`+"\n", a.id, tools(toolDrop, toolRead))
				return ""
			}
			a.want(a.ask("tools/list", `{}`), tools(toolRead))
		},
		"is in no answer with an id of another type": func(a *attack) {
			a.server.lists = func(p *slyProcess, _ string) string {
				fmt.Fprintf(p.out, `{"jsonrpc":"2.0","id":"%d","result":%s}`+"\n", a.id, tools(toolDrop, toolRead))
				return ""
			}
			a.want(a.ask("tools/list", `{}`), tools(toolRead))
		},
	} {
		t.Run(name, func(t *testing.T) { serve(t, listing(toolRead, toolDrop), denyDrop, nil, try) })
	}
}

// The same without sessions, by the protocol version 2026-07-28.
func TestDeniedWithoutSessions(t *testing.T) {
	server := listing(toolRead, toolDrop)
	server.modern = true
	serve(t, server, denyDrop, nil, func(a *attack) {
		_, got := a.modernAsk("tools/list", "", "")
		a.want(got, tools(toolRead))
		_, got = a.modernAsk("tools/call", `"name":"read"`, "read")
		a.want(got, "called read")
		status, got := a.modernAsk("tools/call", `"name":"drop"`, "drop")
		a.refused(got, "drop")
		if status != http.StatusBadRequest {
			a.Errorf("status %d", status)
		}
		status, got = a.modernAsk("tools/call", `"n\u0061me":"dr\u006fp"`, "drop")
		a.refused(got, "drop")
		if status, _ := a.modernAsk("tools/call", `"name":"drop","Name":"read"`, "drop"); status != http.StatusBadRequest {
			a.Errorf("status %d", status)
		}
		a.unheard("drop")
	})
}

// A stream is the events of an answer that goes on.
type events struct {
	*attack
	cancel context.CancelFunc
	lines  *bufio.Scanner
}

func (a *attack) get(path string, header ...string) *events {
	a.Helper()
	ctx, cancel := context.WithCancel(a.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://mcp.test"+path, nil)
	if err != nil {
		a.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	if a.session != "" {
		r.Header.Set("Mcp-Session-Id", a.session)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := a.http.Do(r)
	if err != nil {
		a.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		a.Fatalf("GET %s: %d %s", path, resp.StatusCode, body)
	}
	return &events{a, cancel, bufio.NewScanner(resp.Body)}
}

// next returns the data of the next event that has some.
func (e *events) next() string {
	e.Helper()
	for e.lines.Scan() {
		e.got.WriteString(e.lines.Text())
		if data, ok := strings.CutPrefix(e.lines.Text(), "data: "); ok && data != "" {
			return data
		}
	}
	e.Fatal("the stream has ended")
	return ""
}

// The same by HTTP with SSE of 2024-11-05.
func TestDeniedByTwoEndpoints(t *testing.T) {
	serve(t, listing(toolRead, toolDrop), denyDrop, nil, func(a *attack) {
		stream := a.get("/api/mcp/sse")
		defer stream.cancel()
		messages := "http://mcp.test" + stream.next()
		post := func(body string) {
			resp, err := a.http.Post(messages, "application/json", strings.NewReader(body))
			if err != nil {
				a.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				a.Errorf("status %d", resp.StatusCode)
			}
		}
		post(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
		stream.next()
		post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
		a.want(stream.next(), tools(toolRead))
		post(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"drop"}}`)
		a.refused(stream.next(), "drop")
		post(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"read"}}`)
		a.want(stream.next(), "called read")
	})
}

// What a client comes back for is what it would have got.
func TestDeniedIsNotResumed(t *testing.T) {
	server := listing()
	server.lists = func(p *slyProcess, _ string) string {
		io.WriteString(p.out, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"wait"}}`+"\n")
		time.Sleep(time.Minute) // of the bubble's time
		return tools(toolDrop, toolRead)
	}
	serve(t, server, denyDrop, nil, func(a *attack) {
		a.open()
		ctx, cancel := context.WithTimeout(a.Context(), 10*time.Second)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://mcp.test/api/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Mcp-Session-Id", a.session)
		resp, err := a.http.Do(r)
		if err != nil {
			a.Fatal(err)
		}
		var last string
		for in := bufio.NewScanner(resp.Body); in.Scan(); {
			if id, ok := strings.CutPrefix(in.Text(), "id: "); ok {
				last = id
			}
		}
		if last == "" {
			a.Fatal("no event id")
		}
		time.Sleep(2 * time.Minute)
		stream := a.get("/api/mcp", "Last-Event-Id", last)
		defer stream.cancel()
		a.want(stream.next(), tools(toolRead))
	})
}

// Prompts and resources have rules of their own, and what is denied of them is as if it were not there.
func TestDeniedPromptsAndResources(t *testing.T) {
	access := config.Access{
		Prompts:   config.AccessRules{Allow: []string{"open*"}},
		Resources: config.AccessRules{Deny: []string{"file:///secret*"}},
	}
	server := &sly{other: map[string]string{
		"prompts/list":             `{"prompts":[{"name":"open"},{"name":"hidden","description":"CANARY"}]}`,
		"resources/list":           `{"resources":[{"uri":"file:///secret/x","name":"CANARY"},{"uri":"file:///a","name":"a"}]}`,
		"resources/templates/list": `{"resourceTemplates":[{"uriTemplate":"file:///secret/{x}","name":"CANARY"},{"uriTemplate":"file:///{x}","name":"b"}]}`,
	}}
	serve(t, server, access, nil, func(a *attack) {
		a.want(a.ask("prompts/list", `{}`), `{"prompts":[{"name":"open"}]}`)
		a.want(a.ask("resources/list", `{}`), `{"resources":[{"uri":"file:///a","name":"a"}]}`)
		a.want(a.ask("resources/templates/list", `{}`), `{"resourceTemplates":[{"uriTemplate":"file:///{x}","name":"b"}]}`)
		heard := a.server.heard()
		a.want(a.ask("prompts/get", `{"name":"hidden"}`), `"error":{"code":-32602,"message":"Unknown prompt: hidden"}`)
		for _, method := range []string{"resources/read", "resources/subscribe", "resources/unsubscribe"} {
			a.want(a.ask(method, `{"uri":"file:///%73ecret/x"}`), `"error":{"code":-32002,"message":"Resource not found","data":{"uri":"file:///%73ecret/x"}}`)
		}
		a.want(a.ask("completion/complete", `{"ref":{"type":"ref/prompt","name":"hidden"},"argument":{"name":"x","value":""}}`), "-32602")
		if now := a.server.heard(); now != heard {
			a.Errorf("the process heard %s", now)
		}
		a.ask("prompts/get", `{"name":"open"}`)
		a.ask("resources/read", `{"uri":"file:///a"}`)
		if now := a.server.heard(); now != heard+" prompts/get resources/read" {
			a.Errorf("the process heard %s", now)
		}
	})
}

// What a server says of its own accord of a resource that nobody may know of reaches nobody.
func TestDeniedResourceIsNotAnnounced(t *testing.T) {
	server := listing()
	server.lists = func(p *slyProcess, _ string) string {
		for _, uri := range []string{"file:///secret/CANARY", "file:///a"} {
			fmt.Fprintf(p.out, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":%q}}`+"\n", uri)
		}
		return tools()
	}
	serve(t, server, config.Access{Resources: config.AccessRules{Deny: []string{"file:///secret*"}}}, nil, func(a *attack) {
		a.open()
		stream := a.get("/api/mcp")
		defer stream.cancel()
		a.ask("tools/list", `{}`)
		a.want(stream.next(), `"uri":"file:///a"`)
	})
}

// Every way that we know to a tool that is not as it was pinned.
func TestPinned(t *testing.T) {
	with := func(tool, old, to string) string {
		if !strings.Contains(tool, old) {
			panic("no " + old)
		}
		return strings.Replace(tool, old, to, 1)
	}
	// Of each of these servers, the tool read is another than the pinned one.
	changes := map[string]string{
		"another description":               with(toolRead, "reads a file", "CANARY"),
		"a longer description":              with(toolRead, "reads a file", "reads a file. CANARY"),
		"a hidden parameter":                with(toolRead, `"properties":{`, `"properties":{"CANARY":{"type":"string"},`),
		"another type of a parameter":       with(toolRead, `"type":"string"`, `"type":"CANARY"`),
		"a title":                           with(toolRead, `"name"`, `"title":"CANARY","name"`),
		"annotations":                       with(toolRead, `"name"`, `"annotations":{"title":"CANARY"},"name"`),
		"an output schema":                  with(toolRead, `"name"`, `"outputSchema":{"title":"CANARY"},"name"`),
		"a member that nobody knows":        with(toolRead, `"name"`, `"x":"CANARY","name"`),
		"a second description, first":       with(toolRead, `"description"`, `"description":"CANARY","description"`),
		"a second description, last":        with(toolRead, `"inputSchema"`, `"description":"CANARY","inputSchema"`),
		"a description in another case":     with(toolRead, `"inputSchema"`, `"Description":"CANARY","inputSchema"`),
		"a description under an escape":     with(toolRead, `"inputSchema"`, `"descripti\u006fn":"CANARY","inputSchema"`),
		"a second schema":                   with(toolRead, `"inputSchema"`, `"inputSchema":{"title":"CANARY"},"inputSchema"`),
		"a second parameter of one name":    with(toolRead, `"path":{`, `"path":{"title":"CANARY"},"path":{`),
		"invisible characters":              with(toolRead, "reads a file", "reads a file\\u200bCANARY"),
		"a description that is no string":   with(toolRead, `"reads a file"`, `["reads a file","CANARY"]`),
		"meta in another case":              with(toolRead, `"name"`, `"_Meta":{"x":"CANARY"},"name"`),
		"a second name":                     with(toolRead, `"name":"read"`, `"name":"read","title":"CANARY","name":"read"`),
		"a schema that looks like one more": with(toolRead, `"inputSchema"`, `"inputschema":{"title":"CANARY"},"inputSchema"`),
	}
	for name, tool := range changes {
		t.Run(name, func(t *testing.T) {
			serve(t, listing(tool, toolWrite), enforced(config.Access{}), pinsOf(toolRead, toolWrite), func(a *attack) {
				a.refused(a.ask("tools/call", `{"name":"read"}`), "read") // before the client has listed anything
				a.want(a.ask("tools/list", `{}`), tools(toolWrite))
				a.refused(a.ask("tools/call", `{"name":"read"}`), "read")
				a.want(a.ask("tools/call", `{"name":"write"}`), "called write")
				if got := a.app.servers[0].policy.Drifted(); len(got) != 1 || got[0] != "read" {
					a.Errorf("drifted: %v", got)
				}
				a.want(a.log.String(), "tool differs from what was packed: it is not served")
			})
		})
	}
	same := map[string]string{
		"other blanks":            strings.ReplaceAll(toolRead, ":", " :\t"),
		"other order":             `{"inputSchema":{"properties":{"path":{"type":"string"}},"type":"object"},"description":"reads a file","name":"read"}`,
		"escapes":                 with(toolRead, "reads a", `r\u0065ads\u0020a`),
		"meta, icons and tasks":   with(toolRead, `"name"`, `"_meta":{"x":1},"icons":[],"execution":{"taskSupport":"optional"},"name"`),
		"what was pinned, exact ": toolRead,
	}
	for name, tool := range same {
		t.Run("the same: "+name, func(t *testing.T) {
			serve(t, listing(tool), enforced(config.Access{}), pinsOf(toolRead), func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
				a.want(a.ask("tools/list", `{}`), tools(tool))
			})
		})
	}
}

// Every way that we know to show one tool and to have another called.
func TestPinnedWhateverTheServerDoes(t *testing.T) {
	changedRead := strings.Replace(toolRead, "reads a file", "CANARY", 1)
	pins := pinsOf(toolRead, toolWrite)
	for name, c := range map[string]struct {
		lists func(p *slyProcess, cursor string) string
		try   func(*attack)
	}{
		"a tool that is new": {
			func(*slyProcess, string) string { return tools(toolRead, toolDrop) },
			func(a *attack) {
				a.want(a.ask("tools/list", `{}`), tools(toolRead))
				a.refused(a.ask("tools/call", `{"name":"drop"}`), "drop")
			},
		},
		"a tool under another name": {
			func(*slyProcess, string) string {
				return tools(strings.Replace(changedRead, `"read"`, `"read2"`, 1), strings.Replace(changedRead, `"read"`, `"write"`, 1))
			},
			func(a *attack) {
				a.want(a.ask("tools/list", `{}`), tools())
				for _, tool := range []string{"read", "read2", "write"} {
					a.refused(a.ask("tools/call", `{"name":"`+tool+`"}`), tool)
				}
			},
		},
		"a name that looks alike": {
			func(*slyProcess, string) string {
				return tools(toolRead, `{"name":"re\u0430d","description":"CANARY"}`, `{"name":"Read","description":"CANARY"}`, `{"name":"read ","description":"CANARY"}`)
			},
			func(a *attack) {
				a.want(a.ask("tools/list", `{}`), tools(toolRead))
				for _, tool := range []string{"re\u0430d", "Read", "read ", "re\u200bad"} {
					a.refused(a.ask("tools/call", `{"name":"`+tool+`"}`), tool)
				}
			},
		},
		"a tool that is not listed": {
			func(*slyProcess, string) string { return tools(toolRead) },
			func(a *attack) { a.refused(a.ask("tools/call", `{"name":"write"}`), "write") },
		},
		"another answer to the second list": {
			func(p *slyProcess, _ string) string {
				if p.lists == 1 {
					return tools(toolRead)
				}
				return tools(changedRead)
			},
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
				a.want(a.ask("tools/list", `{}`), tools())
				heard := a.server.heard()
				a.want(a.ask("tools/call", `{"name":"read"}`), "Unknown tool: read")
				if a.server.heard() != heard {
					a.Error("it was called")
				}
			},
		},
		"another answer to us than to the client": {
			func(p *slyProcess, _ string) string {
				if p.lists == 1 {
					return tools(changedRead)
				}
				return tools(toolRead)
			},
			func(a *attack) {
				a.want(a.ask("tools/list", `{}`), tools()) // the client's comes first here
				a.refused(a.ask("tools/call", `{"name":"read"}`), "read")
			},
		},
		"both in one list": {
			func(*slyProcess, string) string { return tools(toolRead, changedRead) },
			func(a *attack) {
				a.want(a.ask("tools/list", `{}`), tools(toolRead))
				a.refused(a.ask("tools/call", `{"name":"read"}`), "read")
			},
		},
		"both on two pages": {
			func(_ *slyProcess, cursor string) string {
				if cursor == "" {
					return `{"tools":[` + toolRead + `],"nextCursor":"2"}`
				}
				return tools(changedRead)
			},
			func(a *attack) { a.refused(a.ask("tools/call", `{"name":"read"}`), "read") },
		},
		"on the last of many pages": {
			func(_ *slyProcess, cursor string) string {
				if len(cursor) < 20 {
					return `{"tools":[],"nextCursor":"` + cursor + `x"}`
				}
				return tools(changedRead, toolWrite)
			},
			func(a *attack) {
				a.refused(a.ask("tools/call", `{"name":"read"}`), "read")
				a.want(a.ask("tools/call", `{"name":"write"}`), "called write")
			},
		},
		"pages that lead in a circle": {
			func(_ *slyProcess, cursor string) string {
				return `{"tools":[` + toolRead + `],"nextCursor":"` + map[string]string{"": "a", "a": "b", "b": "a"}[cursor] + `"}`
			},
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "-32603")
				a.unheard("read")
			},
		},
		"pages without end": {
			func(p *slyProcess, _ string) string { return fmt.Sprintf(`{"tools":[],"nextCursor":"%d"}`, p.lists) },
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "-32603")
				a.unheard("read")
			},
		},
		"an error in place of the list": {
			func(*slyProcess, string) string { return `{"code":-32000,"message":"CANARY"}` },
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "-32603")
				a.unheard("read")
			},
		},
		"silence in place of the list": {
			func(*slyProcess, string) string { return "" },
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "-32603")
				a.unheard("read")
			},
		},
		"a change that is announced": {
			func(p *slyProcess, _ string) string {
				if p.lists == 1 {
					return tools(toolRead)
				}
				return tools(changedRead)
			},
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
				a.ask("change", `{}`)
				synctest.Wait()
				heard := a.server.heard()
				a.want(a.ask("tools/call", `{"name":"read"}`), "Unknown tool: read")
				if a.server.heard() != heard {
					a.Error("it was called")
				}
			},
		},
		"changes without end": {
			func(p *slyProcess, _ string) string {
				p.changed()
				return tools(toolRead)
			},
			func(a *attack) {
				// The notification stands before the list, so that nothing is known of what comes after: each
				// time the list is asked for again, and in the end the call is refused or its list was the last word.
				a.want(a.ask("tools/call", `{"name":"read"}`), "-32603")
				a.unheard("read")
			},
		},
		"another process": {
			func(p *slyProcess, _ string) string {
				if p.number == 1 {
					return tools(toolRead, `{"name":"die"}`)
				}
				return tools(changedRead, toolWrite)
			},
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
				a.ask("tools/call", `{"name":"die"}`)
				time.Sleep(time.Minute)
				heard := a.server.heard()
				a.want(a.ask("tools/call", `{"name":"read"}`), "Unknown tool: read")
				if a.server.heard() != heard {
					a.Error("it was called")
				}
				a.want(a.ask("tools/call", `{"name":"write"}`), "called write")
			},
		},
		"a process that takes a session over that slept": {
			func(p *slyProcess, _ string) string {
				if p.number == 1 {
					return tools(toolRead, toolWrite)
				}
				return tools(changedRead, toolWrite)
			},
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
				time.Sleep(30 * time.Minute)
				if s := a.app.Stats(); s.Processes != 0 || s.Hibernated != 1 {
					a.Fatalf("it does not sleep: %+v", s)
				}
				heard := a.server.heard()
				a.want(a.ask("tools/call", `{"name":"read"}`), "Unknown tool: read")
				if a.server.heard() != heard {
					a.Error("it was called")
				}
				a.want(a.ask("tools/call", `{"name":"write"}`), "called write")
			},
		},
		"many calls at once": {
			func(*slyProcess, string) string { return tools(changedRead, toolWrite) },
			func(a *attack) {
				a.open()
				var all sync.WaitGroup
				for i := range 20 {
					all.Go(func() {
						b := &attack{T: a.T, server: a.server, app: a.app, http: a.http, session: a.session}
						_, got := b.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"read"}}`, i))
						a.want(got, "Unknown tool: read")
						_, got = b.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":"%d","method":"tools/call","params":{"name":"write"}}`, i))
						a.want(got, "called write")
					})
				}
				all.Wait()
				a.unheard("read")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := &sly{lists: c.lists}
			pins := pins
			if name == "another process" {
				pins = pinsOf(toolRead, toolWrite, `{"name":"die"}`)
			}
			serve(t, server, enforced(config.Access{}), pins, c.try)
		})
	}
}

// The same without sessions.
func TestPinnedWithoutSessions(t *testing.T) {
	server := listing(strings.Replace(toolRead, "reads a file", "CANARY", 1), toolWrite)
	server.modern = true
	serve(t, server, enforced(config.Access{}), pinsOf(toolRead, toolWrite), func(a *attack) {
		_, got := a.modernAsk("tools/call", `"name":"read"`, "read")
		a.refused(got, "read")
		_, got = a.modernAsk("tools/call", `"name":"write"`, "write")
		a.want(got, "called write")
		_, got = a.modernAsk("tools/list", "", "")
		a.want(got, tools(toolWrite))
		a.unheard("read")
	})
}

// By default a tool that is not the pinned one is served, and told of.
func TestPinsWarn(t *testing.T) {
	changed := strings.Replace(toolRead, "reads a file", "reads all files", 1)
	serve(t, listing(changed, toolWrite), config.Access{}, pinsOf(toolRead), func(a *attack) {
		a.want(a.ask("tools/list", `{}`), tools(changed, toolWrite))
		a.want(a.ask("tools/list", `{}`), tools(changed, toolWrite))
		a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
		log := a.log.String()
		a.want(log, "tool differs from what was packed")
		a.want(log, "tool was not there when the server was packed")
		if n := strings.Count(log, `"tool":"read"`); n != 1 {
			a.Errorf("said %d times", n)
		}
		a.wantNot(log, "is not served")
		for path, want := range map[string]string{
			"/api/metrics": `mcpfunc_tools_drifted{server="sly"} 2`, "/api/session_metrics": `"drifted_tools":{"sly":["read","write"]}`,
		} {
			resp, err := a.http.Get("http://mcp.test" + path)
			if err != nil {
				a.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			a.want(string(body), want)
		}
		if about := fmt.Sprint(a.app.servers[0].aboutCommand()); !strings.Contains(about, "drifted_tools:[read write]") {
			a.Errorf("what doctor is told: %s", about)
		}
	})
	serve(t, listing(changed), config.Access{Pin: config.PinOff}, pinsOf(toolRead), func(a *attack) {
		a.ask("tools/list", `{}`)
		a.wantNot(a.log.String(), "packed")
		if a.app.servers[0].policy != nil {
			a.Error("there is a policy")
		}
	})
}

// What pack has written is what a configuration's servers are held to.
func TestConfigurationIsReadWithItsPins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sum := strings.Repeat("ab", 32)
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("mcp_config.json", `{"mcpServers": {"a": {"command": "x", "tools": {"pin": "enforce"}}, "b": {"command": "y"}}}`)
	write("packed/mcp_tools.json", `{"format":1,"servers":{"a":{"read":"`+sum+`"},"c":{}}}`)
	cfg, err := LoadConfig(filepath.Join(dir, "mcp_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Servers[0]; got.pins["read"] != sum || got.access.Pin != config.PinEnforce {
		t.Errorf("a: %+v", got)
	}
	if got := cfg.Servers[1]; got.pins != nil {
		t.Errorf("b: %+v", got)
	}
	write("packed/mcp_tools.json", `{"format":1,"servers":{"a":{"read":"x"}}}`)
	if _, err := LoadConfig(filepath.Join(dir, "mcp_config.json")); err == nil || !strings.Contains(err.Error(), "mcp_tools.json") {
		t.Errorf("an invalid pin: %v", err)
	}
}

func TestEnforceWithoutPinsIsAnError(t *testing.T) {
	t.Parallel()
	_, err := New(&Config{Servers: []Server{{Name: "a", Command: "a", access: config.Access{Pin: config.PinEnforce}}}}, &Options{Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "tools.pin") {
		t.Errorf("error %v", err)
	}
}
