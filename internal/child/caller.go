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

// CloseCaller says that caller has no process any more, if it is an io.Closer.
func CloseCaller(caller any) {
	if c, ok := caller.(io.Closer); ok {
		c.Close()
	}
}
