// Command server is a small stdio MCP server that starts in a few milliseconds.
//
// Two of its tools remember nothing: echo, and count, which says every ms milliseconds where it has got to, by
// progress if it was asked to, or else by log messages. The others do: next counts its calls, and answers after
// ms milliseconds; ask and sample have the client asked, wait is answered by nothing but its cancellation, and
// cancelled says how many were cancelled. A call of any other tool says that the list of tools has changed.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Params struct {
		ProtocolVersion string          `json:"protocolVersion"`
		RequestID       json.RawMessage `json:"requestId"`
		Name            string          `json:"name"`
		Arguments       struct {
			Text  string `json:"text"`
			Count int    `json:"count"`
			MS    int    `json:"ms"`
		} `json:"arguments"`
		Meta struct {
			ProgressToken json.RawMessage `json:"progressToken"`
		} `json:"_meta"`
	} `json:"params"`
}

// A server is what one process remembers.
type server struct {
	out       *json.Encoder
	calls     int                        // of next
	asked     map[string]json.RawMessage // calls that wait for the client, by the id that it was asked with
	questions int
	waiting   map[string]bool // calls of wait
	cancelled int
}

func main() {
	in := json.NewDecoder(os.Stdin)
	s := &server{out: json.NewEncoder(os.Stdout), asked: map[string]json.RawMessage{}, waiting: map[string]bool{}}
	for {
		var r request
		if in.Decode(&r) != nil {
			return // the end of the input, or nothing that we could answer
		}
		switch {
		case r.Method == "notifications/cancelled":
			if s.waiting[string(r.Params.RequestID)] {
				delete(s.waiting, string(r.Params.RequestID))
				s.cancelled++
			}
		case r.ID == nil:
		case r.Method == "":
			if call := s.asked[string(r.ID)]; call != nil {
				delete(s.asked, string(r.ID))
				s.text(call, string(r.Result))
			}
		default:
			s.answer(&r)
		}
	}
}

func (s *server) say(message map[string]any) {
	message["jsonrpc"] = "2.0"
	if s.out.Encode(message) != nil {
		os.Exit(0)
	}
}

func (s *server) result(id json.RawMessage, result any) {
	s.say(map[string]any{"id": id, "result": result})
}

func (s *server) text(id json.RawMessage, text string) {
	s.result(id, map[string]any{"content": []any{map[string]any{"type": "text", "text": text}}})
}

func (s *server) answer(r *request) {
	switch r.Method {
	case "initialize":
		s.result(r.ID, map[string]any{
			"protocolVersion": r.Params.ProtocolVersion, "capabilities": map[string]any{"tools": map[string]any{"listChanged": true}, "logging": map[string]any{}},
			"serverInfo": map[string]any{"name": "fast", "version": "1"},
		})
	case "tools/list":
		var tools []any
		for _, name := range []string{"echo", "count", "next", "ask", "sample", "wait", "cancelled"} {
			tools = append(tools, map[string]any{"name": name, "inputSchema": map[string]any{"type": "object"}})
		}
		s.result(r.ID, map[string]any{"tools": tools})
	case "tools/call":
		s.call(r)
	case "ping":
		s.result(r.ID, map[string]any{})
	default:
		s.say(map[string]any{"id": r.ID, "error": map[string]any{"code": -32601, "message": "method not found"}})
	}
}

func (s *server) call(r *request) {
	args := &r.Params.Arguments
	switch r.Params.Name {
	case "echo":
	case "count":
		for i := range args.Count {
			method, params := "notifications/progress", map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": i + 1}
			if r.Params.Meta.ProgressToken == nil {
				method, params = "notifications/message", map[string]any{"level": "info", "data": i + 1}
			}
			s.say(map[string]any{"method": method, "params": params})
			time.Sleep(time.Duration(args.MS) * time.Millisecond)
		}
		args.Text = "counted"
	case "next":
		s.calls++
		time.Sleep(time.Duration(args.MS) * time.Millisecond)
		args.Text = fmt.Sprintf("call %d.", s.calls)
	case "ask":
		s.ask(r, "elicitation/create", map[string]any{"message": args.Text, "requestedSchema": map[string]any{
			"type": "object", "properties": map[string]any{"answer": map[string]any{"type": "string"}},
		}})
		return
	case "sample":
		s.ask(r, "sampling/createMessage", map[string]any{"maxTokens": 10, "messages": []any{
			map[string]any{"role": "user", "content": map[string]any{"type": "text", "text": args.Text}},
		}})
		return
	case "wait":
		s.waiting[string(r.ID)] = true
		return
	case "cancelled":
		args.Text = fmt.Sprintf("%d cancelled.", s.cancelled)
	default:
		s.say(map[string]any{"method": "notifications/tools/list_changed"})
	}
	s.text(r.ID, args.Text)
}

// ask asks the client, whose answer answers the call.
func (s *server) ask(r *request, method string, params map[string]any) {
	s.questions++
	id := fmt.Sprintf(`"question-%d"`, s.questions)
	s.asked[id] = r.ID
	s.say(map[string]any{"id": json.RawMessage(id), "method": method, "params": params})
}
