package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// A hub is what instances share: it tells all of them at once, as Redis does.
type hub struct {
	mu       sync.Mutex
	down     bool
	revoked  []string
	watchers []func(id string)
	asked    func(id string) // after it was answered whether id is revoked; nil for nothing
}

var errDown = errors.New("down")

func (h *hub) Revoke(_ context.Context, id string, _ time.Time) error {
	h.mu.Lock()
	if h.down {
		h.mu.Unlock()
		return errDown
	}
	h.revoked = append(h.revoked, id)
	watchers := slices.Clone(h.watchers)
	h.mu.Unlock()
	for _, tell := range watchers {
		tell(id)
	}
	return nil
}

func (h *hub) Revoked(_ context.Context, id string) (bool, error) {
	h.mu.Lock()
	yes, down, asked := slices.Contains(h.revoked, id), h.down, h.asked
	h.mu.Unlock()
	if down {
		return false, errDown
	}
	if asked != nil {
		asked(id)
	}
	return yes, nil
}

func (h *hub) Watch(ctx context.Context, held func() []string, end func(id string)) {
	h.mu.Lock()
	h.watchers = append(h.watchers, func(id string) {
		if slices.Contains(held(), id) {
			end(id)
		}
	})
	h.mu.Unlock()
	<-ctx.Done()
}

func newInstances(t *testing.T, h *hub) (a, b, c *instance) {
	sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true, Ended: h}
	change := func(s *Server) { s.OnLost = Resurrect }
	a, b, c = newInstance(t, sharing, change), newInstance(t, sharing, change), newInstance(t, sharing, change)
	synctest.Wait() // until they watch
	return a, b, c
}

func TestDeleteEndsASessionOnEveryInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := newInstances(t, &hub{})
		id := a.initialize("u")
		if err := b.use(b.opening("u", id)); err != nil {
			t.Fatal(err)
		}
		if err := c.table.Delete(t.Context(), c.opening("u", id)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for name, in := range map[string]*instance{"a": a, "b": b, "c": c} {
			n := len(in.processes())
			if err := in.use(in.opening("u", id)); err != ErrUnknown || in.table.Stats().Sessions != 0 || len(in.processes()) != n {
				t.Errorf("%s: %v with %+v", name, err, in.table.Stats())
			}
		}
	})
}

// A caller that asks whether a session is over may be answered a moment too early.
func TestEndIsHeardWhileASessionIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hub{}
		a, b, _ := newInstances(t, h)
		id := a.initialize("u")
		h.asked = func(id string) { a.table.Delete(t.Context(), a.opening("u", id)) }
		if err := b.use(b.opening("u", id)); err != ErrUnknown {
			t.Errorf("a session that ended on the way is used: %v", err)
		}
		synctest.Wait()
		if st := b.table.Stats(); st.Sessions != 0 || st.Processes != 0 {
			t.Errorf("it goes on: %+v", st)
		}
	})
}

func TestNothingIsTakenOverWhileNobodyKnowsWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hub{}
		a, b, _ := newInstances(t, h)
		id := a.initialize("u")
		h.down = true
		f, ok := errors.AsType[*child.Failure](b.use(b.opening("u", id)))
		if !ok || f.Reason != child.ReasonUnsure || !f.Retryable || len(b.processes()) != 0 {
			t.Errorf("taken over: %v", f)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := b.table.CanTakeOver(gone, b.opening("u", id)); err != context.Canceled {
			t.Errorf("a client that is gone hears %v", err)
		}
		if err := a.use(a.opening("u", id)); err != nil {
			t.Errorf("where it is: %v", err)
		}
		if err := a.table.Delete(t.Context(), a.opening("u", id)); err != nil {
			t.Errorf("DELETE: %v", err)
		}
		if err := a.use(a.opening("u", id)); err != ErrUnknown {
			t.Errorf("after DELETE: %v", err)
		}
	})
}
