package session

import (
	"cmp"
	"encoding/json"

	"github.com/mcpfunc/mcpfunc/internal/calls"
)

// An introduction is what a client says of itself in initialize, read once.
type introduction struct {
	request record // that client was read from
	client  calls.Client
}

// ourselves is who initializes a session whose client does not.
var ourselves = calls.Client{Name: "mcpfunc", Version: "1"}

// Introduce says to c which session it goes to, by the name that the log has for it, and which program opened
// that, unless c says so itself.
func Introduce(s *Session, c *calls.Call) {
	c.Session = s.alias
	if c.Client != (calls.Client{}) {
		return
	}
	s.mu.Lock()
	known, request := s.introduced, cmp.Or(s.handshake.request, s.handshake.asked)
	s.mu.Unlock()
	if known.request != request {
		known = introduction{request, ClientOf([]byte(request))}
		s.mu.Lock()
		s.introduced = known
		s.mu.Unlock()
	}
	c.Client = known.client
}

// ClientOf returns the client named in initialize; the zero value if we send it in place of the client.
func ClientOf(initialize []byte) calls.Client {
	var r struct {
		Params struct {
			ClientInfo calls.Client `json:"clientInfo"`
		} `json:"params"`
	}
	if json.Unmarshal(initialize, &r) != nil || r.Params.ClientInfo == ourselves {
		return calls.Client{}
	}
	return r.Params.ClientInfo
}
