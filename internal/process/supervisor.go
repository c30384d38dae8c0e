package process

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// A Supervisor accounts for every child of an app and for whatever those started. Its methods may be
// called from any goroutine.
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
	k := &Supervisor{log: log, children: map[*Child]struct{}{}, idle: make(chan struct{})}
	k.sys.open(k)
	return k
}

// Start runs spec. It fails with a *CommandError, or when the supervisor is closed.
func (k *Supervisor) Start(spec Spec) (*Child, error) {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return nil, &CommandError{Command: spec.Command, Err: fmt.Errorf("the app is shutting down")}
	}
	k.starting++
	k.mu.Unlock()

	c, err := start(k, spec)

	k.mu.Lock()
	defer k.mu.Unlock()
	k.starting--
	if err == nil {
		select {
		case <-c.gone: // it was quick: ended has been here already
		default:
			k.children[c] = struct{}{}
		}
	}
	k.settleLocked()
	return c, err
}

// ended is called once for every child that was started, when it is gone.
func (k *Supervisor) ended(c *Child) {
	k.sys.ended(c)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.children, c)
	k.wide -= c.wide
	k.settleLocked()
}

// settleLocked closes idle when nothing is left.
func (k *Supervisor) settleLocked() {
	if k.closed && k.starting == 0 && len(k.children) == 0 {
		select {
		case <-k.idle:
		default:
			close(k.idle)
		}
	}
}

// Children is the number of children that are alive.
func (k *Supervisor) Children() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.children)
}

// pids returns the process ids of the children that are alive.
func (k *Supervisor) pids() map[int]bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	pids := make(map[int]bool, len(k.children))
	for c := range k.children {
		pids[c.PID()] = true
	}
	return pids
}

// Isolation says in a few words how far children are kept apart here.
func (k *Supervisor) Isolation() string { return k.sys.isolation() }

// Limitation says what being kept apart denies children here that servers may need, and what helps.
// Both are empty where it denies nothing.
func (k *Supervisor) Limitation() (text, hint string) { return k.sys.limitation() }

// Close kills the children that are still there, waits for them, and sweeps what they left.
func (k *Supervisor) Close() {
	k.mu.Lock()
	k.closed = true
	left := make([]*Child, 0, len(k.children))
	for c := range k.children {
		left = append(left, c)
	}
	k.settleLocked()
	k.mu.Unlock()
	for _, c := range left {
		c.Kill()
	}
	<-k.idle
	k.sys.close()
}

type supervisorKey struct{}

// With returns a context that carries k to From: a launcher that users write hands its context on,
// and the child that comes of it is accounted for.
func (k *Supervisor) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, supervisorKey{}, k)
}

// From returns the supervisor that ctx carries.
func From(ctx context.Context) (*Supervisor, bool) {
	k, ok := ctx.Value(supervisorKey{}).(*Supervisor)
	return k, ok
}
