package policy

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Codes of JSON-RPC errors.
const (
	codeNoMethod   = -32601
	codeParams     = -32602
	codeInternal   = -32603
	codeNoResource = -32002 // up to 2025-11-25
)

// A Refusal is the error that answers a request instead of the process.
type Refusal struct {
	Code int
	Text string
	URI  string // of a resource that is not there; else ""
}

// Answer is the answer to the request with this id. The caller frees it.
func (r *Refusal) Answer(id []byte) *message.Message {
	type data struct {
		URI string `json:"uri"`
	}
	e := struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    *data  `json:"data,omitempty"`
	}{Code: r.Code, Message: r.Text}
	if r.URI != "" {
		e.Data = &data{r.URI}
	}
	body, err := json.Marshal(e)
	if err != nil {
		panic("policy: " + err.Error()) // it is made of strings
	}
	return message.Must(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"error":%s}`, id, body))
}

// Refuse says why a message of a client is not passed on to the process, or nil if it is: it uses something
// that callers may not know of. The error is that of something that is not there (MCP, "Tools", "Prompts" and
// "Resources", each under "Error Handling"). modern says that the revision is 2026-07-28, or later.
func (p *Policy) Refuse(m *message.Message, modern bool) *Refusal {
	if kind := m.Kind(); kind != message.Request && kind != message.Notification {
		return nil
	}
	var refusal *Refusal
	k, ok := p.uses(m, func(k kind, name string) bool {
		if !p.visible(k, name) {
			refusal = notThere(k, name, modern)
		}
		return refusal == nil
	})
	if refusal == nil && !ok {
		if about(m.Envelope().Method()).how == unknown {
			return &Refusal{Code: codeNoMethod, Text: "Method not found"}
		}
		refusal = notThere(k, "", modern)
	}
	return refusal
}

// notThere is the error of something that a server does not have.
func notThere(k kind, name string, modern bool) *Refusal {
	switch {
	case k == tools:
		return &Refusal{Code: codeParams, Text: "Unknown tool: " + name}
	case k == prompts:
		return &Refusal{Code: codeParams, Text: "Unknown prompt: " + name}
	case modern:
		return &Refusal{Code: codeParams, Text: "Resource not found", URI: name}
	}
	return &Refusal{Code: codeNoResource, Text: "Resource not found", URI: name}
}

// A Lack is what a caller needs to use something, and does not have.
type Lack struct {
	What   string   // "tool", "prompt" or "resource"
	Name   string   // of what it is for
	Scopes []string // a token with these as well would do, as far as scopes go
	Roles  []string // one of these
	Groups []string // one of these
}

// Forever reports whether no other token of the same user would do.
func (l *Lack) Forever() bool { return len(l.Roles) > 0 || len(l.Groups) > 0 }

// Grants are what a caller has.
type Grants interface {
	Scope(name string) bool
	Role(name string) bool
	Group(name string) bool
}

// Lacks says what the caller of a message needs for it, and does not have; nil for nothing. What the caller
// may not even know of needs nothing: it is refused.
func (p *Policy) Lacks(m *message.Message, has Grants) *Lack {
	var lack *Lack
	p.uses(m, func(k kind, name string) bool {
		if p.visible(k, name) {
			lack = p.kinds[k].lacks(k, name, has)
		}
		return lack == nil
	})
	return lack
}

func (r *rules) lacks(k kind, name string, has Grants) *Lack {
	lack := &Lack{What: k.String(), Name: name}
	names := []string{name}
	if k == resources {
		names, _ = forms(name)
	}
	for _, need := range r.Require {
		if !slices.ContainsFunc(names, func(name string) bool {
			return Matches(need.Glob, name) || k == resources && Matches(lowerScheme(need.Glob), lowerScheme(name))
		}) {
			continue
		}
		for _, scope := range need.Scopes {
			if !has.Scope(scope) {
				lack.Scopes = append(lack.Scopes, scope)
			}
		}
		if len(need.Roles) > 0 && !slices.ContainsFunc(need.Roles, has.Role) {
			lack.Roles = need.Roles
		}
		if len(need.Groups) > 0 && !slices.ContainsFunc(need.Groups, has.Group) {
			lack.Groups = need.Groups
		}
	}
	if lack.Scopes == nil && !lack.Forever() {
		return nil
	}
	return lack
}

func (k kind) String() string { return [...]string{"tool", "prompt", "resource"}[k] }

// Failed is the error of a call whose tool could not be compared with the pinned one.
func Failed(err error) *Refusal {
	return &Refusal{Code: codeInternal, Text: "cannot compare the server's tools with the pinned ones: " + err.Error()}
}
