package child

import (
	"io"

	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// A Renewer is a caller, as Spec.Launch gets it, that hears of later requests of the same principal,
// which may bring newer credentials.
type Renewer interface{ Renew(later any) }

// Renew tells caller of a later request, if it wants to know.
func Renew(caller, later any) {
	if r, ok := caller.(Renewer); ok && later != caller {
		r.Renew(later)
	}
}

// A Secretive is a caller with secrets of its own, which are taken out of what its process has said.
type Secretive interface{ Secrets() *secret.Redactor }

// SecretsOf returns what removes the secrets of this caller alone; nil for a caller without secrets.
func SecretsOf(caller any) *secret.Redactor {
	if own, ok := caller.(Secretive); ok {
		return own.Secrets()
	}
	return nil
}

// secretsOf is what takes secrets out of what a process of caller says: the caller's, and those of the app.
func (s *Starter) secretsOf(caller any) *secret.Redactor { return s.secrets.And(SecretsOf(caller)) }

// CloseCaller says that caller has no process any more, if it is an io.Closer.
func CloseCaller(caller any) {
	if c, ok := caller.(io.Closer); ok {
		c.Close()
	}
}
