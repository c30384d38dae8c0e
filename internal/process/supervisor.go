package process

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
)

// A Supervisor accounts for every child of an app and for whatever those started. Its methods may be
// called from any goroutine.
//
// It is the one room that says what came of which child. What it has done to the process it is in, and what
// it relies on, is the affair of its system, which may get better means where the machine offers them
// (a tier, on Linux).
type Supervisor struct {
	log *slog.Logger
	sys system // what the operating system needs

	mu       sync.Mutex
	children map[*Child]struct{}
	starting int
	wide     int // pipes of children
	closed   bool
	idle     chan struct{} // closed when the last child is gone after Close
}

// Open returns a Supervisor. Close must be called.
func Open(log *slog.Logger) *Supervisor {
	s := &Supervisor{log: log, children: map[*Child]struct{}{}, idle: make(chan struct{})}
	s.sys.open(s)
	return s
}

// TakeProcess says that the process does nothing else than to supervise these children, and may be changed
// for that until Close. On Linux it becomes a sub-reaper, so that no descendant is lost, even one that has left
// its session and cleared its environment; and a guard outlives it for a moment, to end what children have
// started if the process itself is killed. It may be called at any time; after Close it does nothing.
func (s *Supervisor) TakeProcess() { s.sys.takeProcess() }

// Start runs spec. It fails with a *CommandError, or when the supervisor is closed.
func (s *Supervisor) Start(spec Spec) (*Child, error) {
	return s.account(spec, func() (*Child, error) { return start(s, spec) })
}

// account calls start, and accounts for the child that it returns.
func (s *Supervisor) account(spec Spec, start func() (*Child, error)) (*Child, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, &CommandError{Command: spec.Command, Err: fmt.Errorf("the app is shutting down")}
	}
	s.starting++
	s.mu.Unlock()

	c, err := start()

	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting--
	if err == nil {
		select {
		case <-c.gone: // it was quick: ended has been here already
		default:
			s.children[c] = struct{}{}
		}
	}
	s.settleLocked()
	return c, err
}

// ended is called once for every child that was started, when it is gone.
func (s *Supervisor) ended(c *Child) {
	s.sys.ended(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.children, c)
	s.wide -= c.wide
	s.settleLocked()
}

// settleLocked closes idle when nothing is left.
func (s *Supervisor) settleLocked() {
	if s.closed && s.starting == 0 && len(s.children) == 0 {
		select {
		case <-s.idle:
		default:
			close(s.idle)
		}
	}
}

// Children is the number of children that are alive, except for fork servers.
func (s *Supervisor) Children() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.children {
		if !c.serves {
			n++
		}
	}
	return n
}

// pids returns the process ids of the children that are alive.
func (s *Supervisor) pids() map[int]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pids := make(map[int]bool, len(s.children))
	for c := range s.children {
		pids[c.PID()] = true
	}
	return pids
}

// Isolation says in a few words how far children are kept apart here.
func (s *Supervisor) Isolation() string { return s.sys.isolation() }

// Peer reports whether a connection that was just accepted comes from a child or from what one has started,
// and by a number, which it is. The number is 0 where that is known of the whole only. Where the system does not
// tell, ours is false.
func (s *Supervisor) Peer(c net.Conn) (child uint64, ours bool) { return s.sys.peer(c) }

// Limitation says what being kept apart denies children here that servers may need, and what helps.
// Both are empty where it denies nothing.
func (s *Supervisor) Limitation() (text, hint string) { return s.sys.limitation() }

// Close kills the children that are still there, waits for them, and sweeps what they left.
func (s *Supervisor) Close() {
	s.mu.Lock()
	s.closed = true
	left := make([]*Child, 0, len(s.children))
	for c := range s.children {
		left = append(left, c)
	}
	s.settleLocked()
	s.mu.Unlock()
	for _, c := range left {
		c.Kill()
	}
	<-s.idle
	s.sys.close()
}

type supervisorKey struct{}

// With returns a context that carries s to From: a launcher that users write hands its context on,
// and the child that comes of it is accounted for.
func (s *Supervisor) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, supervisorKey{}, s)
}

// From returns the supervisor that ctx carries.
func From(ctx context.Context) (*Supervisor, bool) {
	s, ok := ctx.Value(supervisorKey{}).(*Supervisor)
	return s, ok
}
