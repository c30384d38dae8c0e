// Command server is a small stdio MCP server that starts in a few milliseconds and remembers nothing.
// Its tools are echo, and count, which says every ms milliseconds where it has got to: by progress if it
// was asked to, or else by log messages. A call of any other tool says that the list of tools has changed.
package main

import (
	"encoding/json"
	"os"
	"time"
)

type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		ProtocolVersion string `json:"protocolVersion"`
		Name            string `json:"name"`
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

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var r request
		if in.Decode(&r) != nil {
			return // the end of the input, or nothing that we could answer
		}
		if r.ID == nil {
			continue
		}
		answer := map[string]any{"jsonrpc": "2.0", "id": r.ID}
		switch r.Method {
		case "initialize":
			answer["result"] = map[string]any{
				"protocolVersion": r.Params.ProtocolVersion, "capabilities": map[string]any{"tools": map[string]any{"listChanged": true}, "logging": map[string]any{}},
				"serverInfo": map[string]any{"name": "fast", "version": "1"},
			}
		case "tools/list":
			answer["result"] = map[string]any{"tools": []any{
				map[string]any{"name": "echo", "inputSchema": map[string]any{"type": "object"}},
				map[string]any{"name": "count", "inputSchema": map[string]any{"type": "object"}},
			}}
		case "tools/call":
			switch r.Params.Name {
			case "echo":
			case "count":
				for i := range r.Params.Arguments.Count {
					method, params := "notifications/progress", map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": i + 1}
					if r.Params.Meta.ProgressToken == nil {
						method, params = "notifications/message", map[string]any{"level": "info", "data": i + 1}
					}
					out.Encode(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
					time.Sleep(time.Duration(r.Params.Arguments.MS) * time.Millisecond)
				}
				r.Params.Arguments.Text = "counted"
			default:
				out.Encode(map[string]any{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
			}
			answer["result"] = map[string]any{"content": []any{map[string]any{"type": "text", "text": r.Params.Arguments.Text}}}
		case "ping":
			answer["result"] = map[string]any{}
		default:
			answer["error"] = map[string]any{"code": -32601, "message": "method not found"}
		}
		if out.Encode(answer) != nil {
			return
		}
	}
}
