//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// seed makes the dice of a run. A run says its own, so that it can be repeated as far as processes
// and networks let it.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := rand.Uint64()
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED: %v", err)
		}
	}
	t.Logf("CHAOS_SEED=%d", n)
	return n
}

// A crowd is many sessions, each with a canary of its own that goes into every call and must come
// back from no other session's.
func TestNobodySeesAnothersCanary(t *testing.T) {
	sessions, calls := scale(200, 40), scale(1000, 100)
	server := fake("server", "server")
	server.MaxRestarts = 4 // so that sessions end, too
	h := startHandler(t, mcpfunc.Config{Servers: []mcpfunc.Server{server}})
	counts := newTally("foreign canaries", "wrong ids", "lost answers", "sessions that did not open", "processes left")
	dice := seed(t)
	var all sync.WaitGroup
	for i := range sessions {
		all.Go(func() {
			g := &guest{client: newClient(h, "server"), canary: fmt.Sprintf("canary-%d-%x", i, rand.Uint32()), counts: counts}
			defer g.leave()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
			defer cancel()
			if i%8 == 0 {
				g.eavesdrops(ctx, i%16 == 0)
			}
			var hands sync.WaitGroup
			for hand := range 2 { // with a call each in flight
				hands.Go(func() {
					r := rand.New(rand.NewPCG(dice, uint64(2*i+hand)))
					for n := range calls / 2 {
						g.turn(ctx, r, fmt.Sprintf("%s/%d-%d", g.canary, hand, n))
					}
				})
			}
			hands.Wait()
			g.goes(ctx)
		})
	}
	all.Wait()
	f := h.figures(t)
	counts.addN("restarts", int(f.Restarts))
	counts.addN("sessions opened", int(f.Opened))
	settled(h, counts)
	counts.report(t)
}

// guest is one of the crowd.
type guest struct {
	*client
	canary string
	counts *tally

	mu sync.Mutex
	s  *session // nil without a session
	ls func()   // ends the listener
}

// session returns the guest's session, and opens one if the last has ended.
func (g *guest) session(ctx context.Context) *session {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.s == nil {
		s, err := g.open(ctx)
		if err != nil {
			g.counts.add("sessions that did not open", err)
			return nil
		}
		g.s = s
	}
	return g.s
}

// ended forgets a session that the handler does not know any more.
func (g *guest) ended(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.s == s {
		g.s = nil
	}
}

// turn makes one call, as the dice say.
func (g *guest) turn(ctx context.Context, dice *rand.Rand, canary string) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s := g.session(ctx)
	if s == nil {
		return
	}
	switch n := dice.IntN(1000); {
	case n < 6:
		g.crash(ctx, s, []string{"exit", "kill", "half"}[n%3])
	case n < 30:
		g.abandon(ctx, s, canary)
	case n < 70:
		g.story(ctx, s, canary, time.Millisecond, 0)
	case n < 110:
		g.story(ctx, s, canary, 0, 1+dice.IntN(20))
	case n < 130:
		m, err := s.call(ctx, "gossip", arguments{Canary: canary, N: 3})
		g.judge(s, m, err, canary)
	default:
		m, err := s.call(ctx, "echo", arguments{Canary: canary})
		g.judge(s, m, err, canary)
	}
}

// crash makes the server die. The call must be told.
func (g *guest) crash(ctx context.Context, s *session, how string) {
	g.counts.add("crashes")
	m, err := s.call(ctx, how, arguments{N: 1})
	if err == nil && m.Error == nil {
		err = fmt.Errorf("%s was answered: %s", how, m.raw)
	}
	g.judge(s, m, err, "")
}

// abandon hangs up before the answer can be there. Nobody will look for it.
func (g *guest) abandon(ctx context.Context, s *session, canary string) {
	g.counts.add("calls left")
	ctx, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
	defer cancel()
	s.call(ctx, "echo", arguments{Canary: canary, Delay: 5 * time.Millisecond})
}

// story reads an answer with progress before it: slowly, or with a hang-up in the middle, after
// which it must go on where it was.
func (g *guest) story(ctx context.Context, s *session, canary string, pace time.Duration, hangUp int) {
	const length = 20
	a, err := s.begin(ctx, "story", arguments{Canary: canary, N: length})
	if err != nil {
		g.judge(s, message{}, err, canary)
		return
	}
	defer func() { a.close() }()
	for n := 1; ; n++ {
		if pace > 0 {
			<-time.After(pace)
		}
		m, err := a.next()
		if err != nil || m.Method == "" {
			if err == nil && m.Error == nil && n != length+1 {
				err = fmt.Errorf("%d of %d messages", n, length+1)
			}
			g.judge(s, m, err, canary)
			return
		}
		g.inspect(m.raw)
		if n == hangUp {
			g.counts.add("hang-ups")
			a.close()
			again, err := s.resume(ctx, a)
			if err != nil {
				g.judge(s, message{}, err, canary)
				return
			}
			a = again
		}
	}
}

// judge counts how a call ended.
func (g *guest) judge(s *session, m message, err error, canary string) {
	g.inspect(m.raw)
	switch {
	case errors.Is(err, errNoSession):
		g.counts.add("calls told that the session is over")
		g.ended(s)
	case errors.Is(err, errOther):
		g.counts.add("wrong ids", err)
	case err != nil:
		g.counts.add("lost answers", err)
	case m.Error != nil:
		g.counts.add("calls told of a crash: " + m.Error.Data.Reason)
	case m.text() != g.canary+" "+canary:
		g.counts.add("foreign canaries", fmt.Sprintf("%q for %q", m.text(), canary))
	default:
		g.counts.add("calls answered")
	}
}

// inspect looks for canaries of others.
func (g *guest) inspect(raw string) {
	if n := strings.Count(raw, "canary-") - strings.Count(raw, g.canary+"/") - strings.Count(raw, g.canary+" "); n != 0 {
		g.counts.add("foreign canaries", raw)
	}
}

// eavesdrops opens the standalone stream of the guest's first session. Who is deaf never reads it.
func (g *guest) eavesdrops(ctx context.Context, deaf bool) {
	s := g.session(ctx)
	if s == nil {
		return
	}
	a, err := s.listen(ctx)
	if err != nil {
		g.counts.add("lost answers", "listen: ", err)
		return
	}
	var reader sync.WaitGroup
	g.ls = func() {
		a.close()
		reader.Wait()
	}
	if deaf {
		return
	}
	reader.Go(func() {
		for {
			m, err := a.next()
			if err != nil {
				return
			}
			g.counts.add("messages overheard")
			g.inspect(m.raw)
		}
	})
}

// goes ends what the guest has.
func (g *guest) goes(ctx context.Context) {
	if g.ls != nil {
		g.ls()
	}
	if g.s == nil {
		return
	}
	if err := g.s.end(ctx); err != nil && !errors.Is(err, errNoSession) {
		g.counts.add("lost answers", "DELETE: ", err)
	}
}
