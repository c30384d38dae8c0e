package mcpfunc

import (
	"io"
	"net/http"
	"time"
)

// Bounds of a body that is discarded. The Functions host lets 100 MiB through, whatever our own limit
// is, and a body that is wanted has a minute to come, too.
const (
	intakeBytes = 100 << 20
	intakeTime  = time.Minute
)

// takeIn reads and discards the rest of a request's body. The Functions host reads no answer
// before it has sent all of the body: what refuses a large request and closes is never seen, and the
// client gets 500 in its place. Meanwhile, the request occupies only its connection. deadline
// is that of the whole request, and rest is room for what is read by.
//
// Without a deadline for reading, which HTTP/2 and test recorders lack or do not need, it does nothing. Nor does it
// at the end of the body: net/http then waits for the client to go away, and a deadline that has passed would be
// that. The context of the connection would end, and with it that of the next request.
func takeIn(w http.ResponseWriter, r *http.Request, deadline time.Time, rest *io.LimitedReader) {
	if r.ContentLength == 0 || r.Body == nil || r.ProtoMajor != 1 || atEnd(r) || http.NewResponseController(w).SetReadDeadline(deadline) != nil {
		return
	}
	*rest = io.LimitedReader{R: r.Body, N: intakeBytes}
	_, _ = io.Copy(io.Discard, rest) // it ends at the end, at a limit or with the client
}

// atEnd reports whether a body of known length was read. A chunked one would wait for its next chunk.
func atEnd(r *http.Request) bool {
	if r.ContentLength < 0 {
		return false
	}
	_, err := r.Body.Read(nil)
	return err != nil
}
