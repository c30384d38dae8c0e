package child

import "io"

// A Renewer is a caller, as Spec.Launch gets it, that hears of later requests of the same principal,
// which may bring newer credentials.
type Renewer interface{ Renew(later any) }

// Renew tells caller of a later request, if it wants to know.
func Renew(caller, later any) {
	if r, ok := caller.(Renewer); ok && later != caller {
		r.Renew(later)
	}
}

// A Redactor is a caller with secrets of its own, which it takes out of what its process has said.
type Redactor interface{ Redact(text string) string }

// redactorOf is what takes secrets out of what a process of caller says: the caller's, and those that all know.
func redactorOf(caller any, common func(string) string) func(string) string {
	own := OwnRedact(caller)
	if own == nil {
		return common
	}
	return func(text string) string { return common(own(text)) }
}

// OwnRedact takes the caller's own secrets out of a text; it is nil for a caller who has none.
func OwnRedact(caller any) func(text string) string {
	if own, ok := caller.(Redactor); ok {
		return own.Redact
	}
	return nil
}

// CloseCaller says that caller has no process any more, if it is an io.Closer.
func CloseCaller(caller any) {
	if c, ok := caller.(io.Closer); ok {
		c.Close()
	}
}
