package mcptest

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Stateless is Server for 2026-07-28: it answers server/discover, knows neither initialize nor
// sessions, and takes cancellations. It has these tools besides: late{}, which waits until it is
// cancelled and then reports progress and answers all the same, and cancelled{}, which says how many
// cancellations came. ask{} needs input: its first answer has a requestState, with which a second call
// brings the text of the first; of another process it is refused.
//
// A subscriptions/listen is acknowledged, and told of every call of changed{} until it is cancelled.
func Stateless(in io.Reader, out io.Writer, complain io.Writer, exit func(code int)) {
	s := &stateless{
		server: server{pen: make(chan struct{}, 1), out: out, complain: complain, exit: exit, waiting: map[string]chan json.RawMessage{}},
		calls:  map[string]chan struct{}{}, listeners: map[string]bool{}, asked: map[string]string{},
	}
	defer s.end()
	lines := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var m statelessRPC
		if json.Unmarshal(line, &m) != nil {
			continue
		}
		switch {
		case m.Method == "notifications/cancelled":
			s.cancel(string(m.Params.RequestID))
		case m.ID != nil:
			cancelled := make(chan struct{})
			s.mu.Lock()
			s.calls[string(m.ID)] = cancelled
			s.mu.Unlock()
			go s.call(m, cancelled)
		}
	}
}

type statelessRPC struct {
	ID     json.RawMessage
	Method string
	Params struct {
		RequestID json.RawMessage
		Name      string
		State     string `json:"requestState"`
		Arguments struct {
			Text  string
			Count int
		}
		Meta struct {
			ProgressToken json.RawMessage
			Version       string `json:"io.modelcontextprotocol/protocolVersion"`
		} `json:"_meta"`
	}
}

type stateless struct {
	server
	calls     map[string]chan struct{} // in flight, closed when cancelled; guarded by mu
	listeners map[string]bool          // guarded by mu
	cancelled int                      // guarded by mu
	asked     map[string]string        // texts, by requestState; guarded by mu
}

func (s *stateless) cancel(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch := s.calls[id]; ch != nil {
		s.cancelled++
		delete(s.calls, id)
		delete(s.listeners, id)
		close(ch)
	}
}

// end frees what waits, as the end of a process does.
func (s *stateless) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancelled := range s.calls {
		close(cancelled)
	}
	clear(s.calls)
}

func (s *stateless) call(m statelessRPC, cancelled chan struct{}) {
	result := func(text string) {
		s.mu.Lock()
		delete(s.calls, string(m.ID))
		s.mu.Unlock()
		s.write(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, text)
	}
	refuse := func(code int, text string) {
		s.write(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%q}}`, m.ID, code, text)
	}
	if m.Params.Meta.Version != "2026-07-28" {
		s.write(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32022,"message":"unsupported","data":{"supported":["2026-07-28"]}}}`, m.ID)
		return
	}
	switch m.Method {
	case "server/discover":
		result(`{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}}}`)
	case "tools/list":
		result(`{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[{"name":"echo","inputSchema":{"type":"object",` +
			`"properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}]}`)
	case "subscriptions/listen":
		s.mu.Lock()
		s.listeners[string(m.ID)] = true
		s.mu.Unlock()
		s.write(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{%q:%s},"notifications":{"toolsListChanged":true}}}`,
			subscriptionID, m.ID)
	case "tools/call":
		s.use(m, cancelled, result)
	default:
		refuse(-32601, "method not found")
	}
}

const subscriptionID = "io.modelcontextprotocol/subscriptionId"

// use runs a tool.
func (s *stateless) use(m statelessRPC, cancelled chan struct{}, result func(string)) {
	say := func(text string) {
		quoted, _ := json.Marshal(text)
		result(`{"resultType":"complete","content":[{"type":"text","text":` + string(quoted) + `}]}`)
	}
	progress := func(i int) {
		s.write(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d,"message":%q}}`,
			m.Params.Meta.ProgressToken, i, m.Params.Arguments.Text)
	}
	switch m.Params.Name {
	case "echo":
		for i := range m.Params.Arguments.Count {
			progress(i)
		}
		say(m.Params.Arguments.Text)
	case "late":
		<-cancelled
		progress(0)
		say("too late")
	case "ask":
		s.mu.Lock()
		text, ours := s.asked[m.Params.State]
		state := rand.Text()
		if m.Params.State == "" {
			s.asked[state] = m.Params.Arguments.Text
		}
		s.mu.Unlock()
		switch {
		case m.Params.State == "":
			result(`{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create"}},"requestState":"` + state + `"}`)
		case ours:
			say(text)
		default:
			s.write(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"Invalid or expired requestState"}}`, m.ID)
		}
	case "cancelled":
		s.mu.Lock()
		n := s.cancelled
		s.mu.Unlock()
		say(fmt.Sprint(n))
	case "changed":
		s.mu.Lock()
		var text strings.Builder
		for id := range s.listeners {
			fmt.Fprintf(&text, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{%q:%s}}}`+"\n", subscriptionID, id)
		}
		s.pen <- struct{}{}
		io.WriteString(s.out, text.String())
		<-s.pen
		s.mu.Unlock()
		say("changed")
	case "crash":
		fmt.Fprintln(s.complain, "about to crash")
		s.exit(crashCode)
	}
}
