package mcpfunc

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// A patientListener gives connections whose read deadlines cost little to move.
type patientListener struct{ net.Listener }

func (l patientListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &patientConn{gatherer: newGatherer(c)}, nil
}

// A patientConn is a connection that does not tell the system of every deadline. net/http moves the
// read deadline eight times a request, nearly always to a later time or to none, before the last one
// has come; each is a change of a timer, and together they are as much as reading the request. So only
// an earlier deadline is told at once. When one that was told comes and is not the last word, the read
// goes on, with the one that is.
type patientConn struct {
	gatherer
	want atomic.Int64 // the read deadline in Unix nanoseconds; 0 for none
	told atomic.Int64 // that the system has
}

// SetReadDeadline may be called while a Read waits, from any goroutine, but by one at a time.
func (c *patientConn) SetReadDeadline(t time.Time) error {
	if t.IsZero() {
		c.want.Store(0)
		return nil
	}
	want := t.UnixNano()
	c.want.Store(want)
	if told := c.told.Load(); told != 0 && told <= want {
		return nil // Read sees to the rest
	}
	return c.tell(want)
}

// SetDeadline sets both deadlines.
func (c *patientConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// tell makes a deadline the system's.
func (c *patientConn) tell(deadline int64) error {
	c.told.Store(deadline)
	if deadline == 0 {
		return c.Conn.SetReadDeadline(time.Time{})
	}
	return c.Conn.SetReadDeadline(time.Unix(0, deadline))
}

func (c *patientConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		want := c.want.Load()
		if want != 0 && want <= time.Now().UnixNano() {
			return n, err
		}
		// One that is set in between may have been told, or left to us, just before ours is.
		for told := int64(-1); told != want; want = c.want.Load() {
			if err := c.tell(want); err != nil {
				return n, err
			}
			told = want
		}
	}
}
