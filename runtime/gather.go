package mcpfunc

import (
	"context"
	"net"
	"sync"
)

const (
	// gatherSize is how many bytes of a response wait at most to be sent with those that follow.
	gatherSize = 32 << 10

	// heldSize is how many bytes net/http keeps of a response itself, so that it writes them at once.
	heldSize = 2 << 10
)

// A gatherer is a connection that sends in one system call what net/http writes in several: 4 KiB with the head, what is
// longer than that, and the end of the chunk. Each of them would wake the reader as well. Its methods but those of
// net.Conn are called by the goroutine that answers a request, which is the one that writes. A nil gatherer
// does nothing.
type gatherer struct {
	net.Conn
	tcp     *net.TCPConn // below Conn; nil for none
	holds   bool         // what is written waits
	last    bool         // but for the next write, which is the last of a response
	pending []byte
}

func newGatherer(c net.Conn) gatherer {
	below := c
	for {
		inner, ok := below.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		below = inner.NetConn()
	}
	tcp, _ := below.(*net.TCPConn)
	return gatherer{Conn: c, tcp: tcp}
}

type gathererKey struct{}

// withGatherer is an http.Server's ConnContext.
func withGatherer(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*patientConn); ok {
		return context.WithValue(ctx, gathererKey{}, &c.gatherer)
	}
	return ctx
}

var gathered = sync.Pool{New: func() any { return new([gatherSize]byte) }}

// hold keeps what is written until send, until there is too much of it, or for finish until the next write.
func (g *gatherer) hold() {
	if g != nil {
		g.holds, g.last = true, false
	}
}

func (g *gatherer) Write(p []byte) (int, error) {
	if !g.holds {
		return g.Conn.Write(p)
	}
	if len(g.pending)+len(p) > gatherSize {
		return g.sendWith(p)
	}
	if g.pending == nil {
		g.pending = gathered.Get().(*[gatherSize]byte)[:0]
	}
	g.pending = append(g.pending, p...)
	if g.last {
		if err := g.send(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// sendWith sends what waits, and p.
func (g *gatherer) sendWith(p []byte) (int, error) {
	if g.tcp == nil || len(g.pending) == 0 {
		if err := g.flush(); err != nil {
			return 0, err
		}
		return g.Conn.Write(p)
	}
	waited := int64(len(g.pending))
	parts := net.Buffers{g.pending, p}
	n, err := parts.WriteTo(g.tcp)
	g.forget()
	return int(max(0, n-waited)), err
}

// send sends what waits, and keeps nothing from then on.
func (g *gatherer) send() error {
	if g == nil || !g.holds {
		return nil
	}
	g.holds, g.last = false, false
	return g.flush()
}

func (g *gatherer) flush() error {
	if len(g.pending) == 0 {
		return nil
	}
	_, err := g.Conn.Write(g.pending)
	g.forget()
	return err
}

func (g *gatherer) forget() {
	gathered.Put((*[gatherSize]byte)(g.pending[:gatherSize]))
	g.pending = nil
}
