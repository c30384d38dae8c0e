package session

import (
	"crypto/rand"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// prefix begins every id that we mint. One with it whose session is not here is sealed, or was, or is
// made up: no client chooses it.
const prefix = ticket.Prefix

// Minted reports whether id looks like one of ours.
func Minted(id string) bool { return strings.HasPrefix(id, prefix) }

// mint returns a new id that says nothing: 130 random bits in visible ASCII (MCP transports, "Session
// Management").
func mint() string { return prefix + rand.Text() }

func (o Opening) key() admission.Key {
	return admission.Key{Server: o.Server.Name, Principal: o.Principal, Client: o.Client, ID: o.ID}
}

// holder is the caller for whom an ID of key is valid.
func holder(key admission.Key) ticket.Holder {
	return ticket.Holder{Server: key.Server, Principal: key.Principal, Client: key.Client}
}
