package mcptest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Exit codes of Server.
const crashCode = 7

// Server is an MCP server on stdio that does what its tools are named for. It handles every request
// in a goroutine of its own, and ends when in does.
//
// Tools, with their arguments: echo{text}, fail{}, trace{} (the traceparent of its "_meta"), pid{}, env{name}, get{text} (a URL), big{size}, progress{count, ms}, log{text},
// ask{} (sampling), changed{}, sleep{ms}, crash{}, exit{}, noise{}, complain{text} and silent{}.
func Server(in io.Reader, out io.Writer, complain io.Writer, exit func(code int)) {
	s := &server{pen: make(chan struct{}, 1), out: out, complain: complain, exit: exit, waiting: map[string]chan json.RawMessage{}}
	lines := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var m rpc
		if json.Unmarshal(line, &m) != nil {
			s.write(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}`)
			continue
		}
		switch {
		case m.Method != "" && m.ID != nil:
			go s.call(m)
		case m.Method == "":
			s.mu.Lock()
			ch := s.waiting[string(m.ID)]
			delete(s.waiting, string(m.ID))
			s.mu.Unlock()
			if ch != nil {
				ch <- m.Result
			}
		}
	}
}

// Main is Server as a program.
func Main() {
	Server(os.Stdin, os.Stdout, os.Stderr, os.Exit)
	os.Exit(0)
}

type rpc struct {
	ID     json.RawMessage
	Method string
	Params struct {
		Name            string
		ProtocolVersion string
		Arguments       struct {
			Text, Name      string
			Size, Count, MS int
		}
		Meta struct {
			ProgressToken json.RawMessage
			TraceParent   string
		} `json:"_meta"`
	}
	Result json.RawMessage
}

type server struct {
	pen           chan struct{} // held by who writes: not mu, so that one who reads on need not wait for it
	out, complain io.Writer
	exit          func(int)

	mu      sync.Mutex
	asked   int
	waiting map[string]chan json.RawMessage
}

// write writes one line, whole, and reports whether there is still someone to read it.
func (s *server) write(format string, args ...any) bool {
	s.pen <- struct{}{}
	defer func() { <-s.pen }()
	_, err := fmt.Fprintf(s.out, format+"\n", args...)
	return err == nil
}

func (s *server) call(m rpc) {
	answer := func(result string) { s.write(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result) }
	switch m.Method {
	case "initialize":
		answer(fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{"tools":{},"logging":{},"resources":{"subscribe":true}},`+
			`"serverInfo":{"name":"mcptest","version":"1"}}`, m.Params.ProtocolVersion))
	case "tools/list":
		answer(`{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`)
	case "tools/call":
		if m.Params.Name == "fail" {
			answer(`{"content":[{"type":"text","text":"it failed"}],"isError":true}`)
			return
		}
		if text, ok := s.tool(m); ok {
			quoted, _ := json.Marshal(text)
			answer(fmt.Sprintf(`{"content":[{"type":"text","text":%s}]}`, quoted))
		}
	default:
		answer(`{}`)
	}
}

// tool runs a tool and returns what it says, unless it says nothing.
func (s *server) tool(m rpc) (text string, ok bool) {
	arg := m.Params.Arguments
	switch m.Params.Name {
	case "echo":
		return arg.Text, true
	case "trace":
		return m.Params.Meta.TraceParent, true
	case "pid":
		return fmt.Sprint(os.Getpid()), true
	case "env":
		return os.Getenv(arg.Name), true
	case "get":
		resp, err := http.Get(arg.Text)
		if err != nil {
			return "no answer", true
		}
		resp.Body.Close()
		return resp.Status, true
	case "big":
		return strings.Repeat("x", arg.Size), true
	case "progress":
		for i := range arg.Count {
			if !s.write(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d}}`, m.Params.Meta.ProgressToken, i) {
				return "", false
			}
			time.Sleep(time.Duration(arg.MS) * time.Millisecond)
		}
		return "done", true
	case "log":
		s.write(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%q}}`, arg.Text)
		return "logged", true
	case "changed":
		s.write(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
		return "changed", true
	case "ask":
		s.mu.Lock()
		s.asked++
		id := fmt.Sprintf(`"ask-%d"`, s.asked)
		ch := make(chan json.RawMessage, 1)
		s.waiting[id] = ch
		s.mu.Unlock()
		s.write(`{"jsonrpc":"2.0","id":%s,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`, id)
		return string(<-ch), true
	case "sleep":
		time.Sleep(time.Duration(arg.MS) * time.Millisecond)
		return "slept", true
	case "crash":
		fmt.Fprintln(s.complain, "about to crash")
		s.exit(crashCode)
	case "exit":
		s.exit(0)
	case "noise":
		s.write("this is no message")
		return "noisy", true
	case "complain":
		fmt.Fprintln(s.complain, arg.Text)
		return "complained", true
	}
	return "", false
}
