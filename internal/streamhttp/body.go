package streamhttp

import (
	"io"
	"net/http"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// bodyTimeout is how long the body of a POST may take, from when its head was there.
const bodyTimeout = time.Minute

// A body is the body of a POST that comes in time. One that trickles in holds a connection and no more than that, and
// not for ever; one that has memory of the Budget has to go on coming.
type body struct {
	io.Reader
	w        http.ResponseWriter
	m        *message.Message // that it is read into
	end      time.Time        // when all of it has to be there
	told     time.Time        // the deadline that was set
	progress message.Progress
	slow     bool // it was for the next piece
}

// fill reads the body into m. Once it is there, net/http takes the deadline back, to see whether the client goes away.
func (q *request) fill(m *message.Message) error {
	b := &q.content
	*b = body{Reader: q.r.Body, w: q.w, m: m, end: q.began.Add(bodyTimeout)}
	if !q.end.IsZero() && q.end.Before(b.end) {
		b.end = q.end
	}
	b.within(b.end)
	return m.Fill(b.Read, q.MaxBody)
}

// within sets the deadline for reading, unless it is about the one that is set. HTTP/2 and test recorders have none.
func (b *body) within(at time.Time) {
	if at.Sub(b.told).Abs() > time.Second {
		_ = http.NewResponseController(b.w).SetReadDeadline(at)
		b.told = at
	}
}

func (b *body) Read(p []byte) (int, error) {
	if left, limited := b.progress.Left(b.m); limited {
		at := time.Now().Add(left)
		if b.slow = at.Before(b.end); !b.slow {
			at = b.end
		}
		b.within(at)
	}
	return b.Reader.Read(p)
}

// tooLate says what was not there in time.
func (b *body) tooLate() string {
	if b.slow {
		return "less than 64 KiB of the body arrived within " + message.ProgressTime.String()
	}
	return "the body did not arrive within " + bodyTimeout.String()
}
