package mcpfunc

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
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
		return lines.Err()
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
