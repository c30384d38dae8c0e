package mcpfunc

import (
	"io"
	"net/http"
	"time"
)

// Bounds of a body that nobody wants. The Functions host lets 100 MiB through, whatever our own limit
// is, and a body that is wanted has a minute to come, too.
const (
	intakeBytes = 100 << 20
	intakeTime  = time.Minute
)

// takeIn reads what is left of a request's body and throws it away. The Functions host reads no answer
// before it has sent all of the body: what refuses a large request and closes is never seen, and the
// client gets 500 in its place. Nothing of the request is held meanwhile but its connection. deadline
// is that of the whole request.
//
// Without a deadline for reading, which HTTP/2 and test recorders lack or do not need, it does nothing.
func takeIn(w http.ResponseWriter, r *http.Request, deadline time.Time) {
	if r.ContentLength == 0 || r.Body == nil || r.ProtoMajor != 1 {
		return
	}
	if http.NewResponseController(w).SetReadDeadline(deadline) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, intakeBytes+1) // it ends at the end, at a limit or with the client
}
