package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// A registry is what instances say of who owns what, in memory.
type registry struct {
	mu     sync.Mutex
	owners map[string]*holding
	down   bool
}

type holding struct {
	by      *owners
	holders int
	lost    func()
}

// owners are those of one instance.
type owners struct {
	*registry
	name string
}

var errRegistry = errors.New("the registry is down")

func (r *registry) setDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// size is how many sessions are owned.
func (r *registry) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.owners)
}

func (o *owners) Claim(_ context.Context, name string, lost func()) (func(), string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.owners[name]
	switch {
	case o.down:
		return nil, "", errRegistry
	case h != nil && h.by != o:
		return nil, h.by.name, nil
	case h == nil:
		h = &holding{by: o, lost: lost}
		o.owners[name] = h
	}
	h.holders++
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if h.holders--; h.holders == 0 && o.owners[name] == h {
			delete(o.owners, name)
		}
	}, "", nil
}

func (o *owners) Declare(ctx context.Context, name string, lost func()) func() {
	release, _, err := o.Claim(ctx, name, lost)
	if err != nil {
		return func() {}
	}
	return release
}

func (o *owners) Owner(_ context.Context, name string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch h := o.owners[name]; {
	case o.down:
		return "", errRegistry
	case h == nil || h.by == o:
		return "", nil
	default:
		return h.by.name, nil
	}
}

func (o *owners) Forget(string) {}

// takeFor gives what one owns to another, as when the one was taken for dead.
func (r *registry) takeFor(to *owners) {
	r.mu.Lock()
	var lost []func()
	for name, h := range r.owners {
		lost = append(lost, h.lost)
		r.owners[name] = &holding{by: to}
	}
	r.mu.Unlock()
	for _, f := range lost {
		f()
	}
}

func newOwned(t *testing.T) (r *registry, a, b *instance, ofB *owners) {
	r = &registry{owners: map[string]*holding{}}
	keys := ticket.RandomKeys()
	ofA, ofB := &owners{r, "a"}, &owners{r, "b"}
	change := func(s *Server) { s.OnLost = Resurrect }
	a = newInstance(t, Sharing{Keys: keys, Instances: true, Owners: ofA}, change)
	b = newInstance(t, Sharing{Keys: keys, Instances: true, Owners: ofB}, change)
	return r, a, b, ofB
}

func (in *instance) ownerOf(o Opening) string {
	in.t.Helper()
	owner, err := in.table.Owner(in.t.Context(), o)
	if err != nil {
		in.t.Fatal(err)
	}
	return owner
}

func TestSessionStaysWithItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a, b, _ := newOwned(t)
		id := a.initialize("alice")
		o := b.opening("alice", id)
		if owner := b.ownerOf(o); owner != "a" {
			t.Errorf("the owner is %q", owner)
		}
		if owner := a.ownerOf(o); owner != "" {
			t.Errorf("to itself it is elsewhere: %q", owner)
		}
		if owner := b.ownerOf(b.opening("mallory", id)); owner != "" {
			t.Errorf("another principal learns that somebody has the session: %q", owner)
		}
		_, err := b.table.TakeOver(t.Context(), o)
		if elsewhere, ok := errors.AsType[*ElsewhereError](err); !ok || elsewhere.Owner != "a" {
			t.Errorf("taken over from a live owner: %v", err)
		}
		if told := b.told(); told != "" {
			t.Errorf("a process was started for it: %s", told)
		}
		if err := a.table.Delete(t.Context(), o); err != nil {
			t.Error(err)
		}
		if n := r.size(); n != 0 {
			t.Errorf("%d sessions are owned after the end", n)
		}
	})
}

// A session that ends or hibernates gives back what it owns, and another instance takes over.
func TestOwnerGivesBackAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a, b, _ := newOwned(t)
		id := a.initialize("alice")
		o := b.opening("alice", id)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if n := r.size(); n != 0 {
			t.Errorf("%d sessions are owned while all sleep", n)
		}
		if err := b.use(o); err != nil {
			t.Fatal(err)
		}
		if owner := a.ownerOf(o); owner != "b" {
			t.Errorf("the owner is %q", owner)
		}
		b.table.Close()
		if err := a.use(o); err != nil {
			t.Errorf("after the end of the app on b: %v", err)
		}
	})
}

// Two instances that a chosen id reaches at once open one session.
func TestChosenSessionIsOpenedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a, b, _ := newOwned(t)
		var opening sync.WaitGroup
		var mu sync.Mutex
		opened, elsewhere := 0, 0
		for range 8 {
			for _, in := range []*instance{a, b} {
				opening.Go(func() {
					s, err := in.table.Open(t.Context(), Opening{Server: in.server, Principal: "alice", Version: "2025-11-25", ID: "chosen"})
					mu.Lock()
					defer mu.Unlock()
					if _, ok := errors.AsType[*ElsewhereError](err); ok {
						elsewhere++
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					opened++
					s.Leave()
				})
			}
		}
		opening.Wait()
		if opened != 8 || elsewhere != 8 {
			t.Errorf("%d have it here, %d elsewhere, want 8 and 8", opened, elsewhere)
		}
		a.table.Close()
		b.table.Close()
		if n := r.size(); n != 0 {
			t.Errorf("%d sessions are owned after the end", n)
		}
	})
}

func TestSessionEndsWhenAnotherInstanceHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a, _, ofB := newOwned(t)
		id := a.initialize("alice")
		o := a.opening("alice", id)
		s, err := a.table.Find(o.key())
		if err != nil {
			t.Fatal(err)
		}
		r.takeFor(ofB)
		s.Leave()
		if s.Alive() || a.table.Here(o.key()) {
			t.Error("it goes on here")
		}
		if owner := a.ownerOf(o); owner != "b" {
			t.Errorf("requests for it go to %q", owner)
		}
	})
}

// While it cannot be found out who has a session nobody opens a second one.
func TestSessionThatMayBeElsewhereIsNotOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a, b, _ := newOwned(t)
		id := a.initialize("alice")
		r.setDown(true)
		unsure := func(what string, err error) {
			t.Helper()
			f, ok := errors.AsType[*child.Failure](err)
			if !ok || f.Reason != child.ReasonUnsure || !f.Retryable || strings.Contains(f.Text, "registry") {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err := b.table.Owner(t.Context(), b.opening("alice", id))
		unsure("owner", err)
		_, err = b.table.TakeOver(t.Context(), b.opening("alice", id))
		unsure("take over", err)
		_, err = b.table.Open(t.Context(), Opening{Server: b.server, Principal: "alice", Version: "2025-11-25", ID: "chosen"})
		unsure("open", err)
		if err := a.use(a.opening("alice", id)); err != nil {
			t.Errorf("where it is: %v", err)
		}
		if _, err := b.table.Open(t.Context(), Opening{Server: b.server, Principal: "alice"}); err != nil {
			t.Errorf("a session that nobody else can know: %v", err)
		}
		if err := a.table.Delete(t.Context(), a.opening("alice", id)); err != nil {
			t.Error(err)
		}
		if owner, err := a.table.Owner(t.Context(), a.opening("alice", id)); owner != "" || err != nil {
			t.Errorf("of one that has ended here: %q, %v", owner, err)
		}
	})
}
