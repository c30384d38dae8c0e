//go:build e2e

package scale

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// A wire connects one instance to Redis, until it is cut, or led to another one.
type wire struct {
	net.Listener

	mu    sync.Mutex
	to    string
	cut   bool
	conns []net.Conn
}

func newWire(t *testing.T, redis *e2etest.Redis) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: listener, to: redis.Address}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { w.carry(from) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		w.set(true)
		running.Wait()
	})
	return w
}

func (w *wire) carry(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", w.end())
	if err != nil {
		return
	}
	defer to.Close()
	if !w.keep(from, to) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(from, to)
		from.Close()
	})
	io.Copy(to, from)
	to.Close()
	back.Wait()
}

// keep registers connections to close when the wire is cut. It reports false if it is.
func (w *wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(w.conns, conns...)
	return !w.cut
}

// set cuts the wire, or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	conns := w.conns
	w.cut, w.conns = cut, nil
	w.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

func (w *wire) end() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to
}

// lead breaks all connections, and leads new ones to another Redis.
func (w *wire) lead(redis *e2etest.Redis) {
	w.mu.Lock()
	w.to = redis.Address
	w.mu.Unlock()
	w.set(false)
}

// settings are those of an instance that reaches Redis by the wire.
func (w *wire) settings() settings {
	return settings{"MCPFUNC_REDIS_URL=" + e2etest.RedisURL(w.Addr().String())}
}
