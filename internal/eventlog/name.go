package eventlog

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// A Name says what a log is of: a stream, which is one of a life of a session, which is someone's.
type Name struct {
	Holder  ticket.Holder
	Session string // its id, as its holder has it
	Life    string
	Stream  int
}

// bytes is the name in one piece, so that no two names have the same. Entries are sealed about it: in
// the log of another they are broken.
func (n Name) bytes() []byte {
	var b []byte
	for _, part := range []string{n.Holder.Server, n.Holder.Principal, n.Holder.Client, n.Session, n.Life} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return binary.AppendUvarint(b, uint64(n.Stream))
}

// key is what a Store knows of the name. It leads back to nothing.
func (n Name) key() string {
	sum := sha256.Sum256(append([]byte("mcpfunc events\x00"), n.bytes()...))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
