//go:build chaos

package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// server is an MCP server on stdio, written by hand so that it starts fast and may misbehave. Its
// tools are what can happen to a server.
type server struct {
	in   *os.File
	read *bufio.Reader

	mu   sync.Mutex
	out  *os.File
	home string // the first canary that this process was given
	hung int    // calls that will never be answered
}

// request is what the server reads of a message.
type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		ProtocolVersion string    `json:"protocolVersion"`
		Name            string    `json:"name"`
		Arguments       arguments `json:"arguments"`
		Meta            struct {
			ProgressToken json.RawMessage `json:"progressToken"`
		} `json:"_meta"`
	} `json:"params"`
}

// arguments are those of every tool.
type arguments struct {
	Canary string        `json:"canary,omitempty"`
	Kin    string        `json:"kin,omitempty"`
	N      int           `json:"n,omitempty"`
	Delay  time.Duration `json:"delay,omitempty"`
	Pad    string        `json:"pad,omitempty"` // only there to be large
	URL    string        `json:"url,omitempty"` // of the handler
}

func newServer(in, out *os.File) *server {
	return &server{in: in, read: bufio.NewReader(in), out: out}
}

// serve answers until stdin ends.
func (s *server) serve() int {
	for {
		line, err := s.read.ReadBytes('\n')
		if err == io.EOF {
			return 0
		}
		if err != nil {
			return outlive() // stdin was closed by a tool; the server is there and hears nothing
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			fmt.Fprintf(os.Stderr, "not JSON: %v\n", err)
			return 1
		}
		switch r.Method {
		case "initialize":
			s.result(r, map[string]any{
				"protocolVersion": r.Params.ProtocolVersion, "capabilities": map[string]any{"tools": map[string]any{}},
				"serverInfo": map[string]any{"name": "chaos", "version": "1"},
			})
		case "tools/list":
			s.result(r, map[string]any{"tools": []any{map[string]any{"name": "echo", "inputSchema": map[string]any{"type": "object"}}}})
		case "tools/call":
			s.call(r)
		case "ping":
			s.result(r, map[string]any{})
		}
	}
}

// write writes bytes to stdout, as they are.
func (s *server) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.out.Write(b)
	return err
}

// message writes one message.
func (s *server) message(m map[string]any) error {
	m["jsonrpc"] = "2.0"
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.write(append(line, '\n'))
}

func (s *server) result(r request, result any) {
	s.message(map[string]any{"id": r.ID, "result": result})
}

// text answers a call.
func (s *server) text(r request, text string) {
	s.result(r, map[string]any{"content": []any{map[string]any{"type": "text", "text": text}}})
}
