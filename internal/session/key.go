package session

import (
	"crypto/rand"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// A Key is what a session is found by. Another principal's session is as unknown as one that never
// was, and so is that of the same one by another program: what a user lets one client do is not the
// other's.
type Key struct{ Server, Principal, Client, ID string }

// prefix begins every id that we mint. One with it whose session is not here is sealed, or was, or is
// made up: no client chooses it.
const prefix = ticket.Prefix

// Minted reports whether id looks like one of ours.
func Minted(id string) bool { return strings.HasPrefix(id, prefix) }

// mint returns a new id that says nothing: 130 random bits in visible ASCII (MCP transports, "Session
// Management").
func mint() string { return prefix + rand.Text() }

func (o Opening) key() Key { return Key{o.Server.Name, o.Principal, o.Client, o.ID} }
