//go:build e2e

package backplane

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// A loser acknowledges entries of mailboxes that Redis never gets, as one that fails over before its replica has them. One
// that cuts refuses all of them.
type loser struct {
	left atomic.Int64 // pipelines with entries to lose
	cuts atomic.Bool
}

func (l *loser) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (l *loser) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (l *loser) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "xadd" && l.cuts.Load() {
			return errors.New("the wire is cut")
		}
		if cmds[0].Name() == "xadd" && l.left.Load() > 0 {
			l.left.Add(-1)
			return nil
		}
		return next(ctx, cmds)
	}
}

// A call of which Redis loses something ends with a reason, and the next one is answered.
func TestCallsThatRedisLosesEnd(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	a, b := redis.member(t, keys, echo), redis.member(t, keys, nil)
	a.own(t, "s", nil)
	for what, m := range map[string]*member{"request": b, "answer": a} {
		lose := &loser{}
		m.store.client.AddHook(lose)
		for _, first := range []bool{true, false} { // of what the one writes for the other
			lose.left.Store(1)
			_, err := b.pass(t.Context(), t, "s", "lost")
			lost, ok := errors.AsType[*LostError](err)
			if !ok || lost.Unsent || lost.Gone() {
				t.Errorf("the %s is lost, the first: %t; the call ends with %v", what, first, err)
			}
			eventually(t, "a call is answered", func() bool {
				w, err := b.pass(t.Context(), t, "s", "again")
				return err == nil && w.Body.String() == "again"
			})
		}
	}
	if n := len(a.served) + len(b.calls); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

// A call that the owner has begun and does not finish is not one of which nothing was done. The caller is told, however
// often it takes.
func TestCallThatTheOwnerGivesUpIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]bool{"the owner can tell": false, "the owner cannot tell": true} {
		t.Run(name, func(t *testing.T) { giveUp(t, cut) })
	}
}

func giveUp(t *testing.T, cut bool) {
	a, _, done := begunCall(t)
	if cut {
		lose := &loser{}
		lose.cuts.Store(true)
		a.store.client.AddHook(lose)
		time.AfterFunc(2*patience, func() { lose.cuts.Store(false) })
	}
	a.lose(errors.New("a connection has failed")) // and works again before others consider it dead
	var err error
	eventually(t, "the caller is told", func() bool {
		select {
		case err = <-done:
			return true
		default:
			return false
		}
	})
	if err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// What is still to be said to others does not keep an app from ending when Redis is away.
func TestCloseDoesNotWaitForARedisThatIsAway(t *testing.T) {
	t.Parallel()
	a, b, done := begunCall(t)
	lose := &loser{}
	lose.cuts.Store(true)
	a.store.client.AddHook(lose)
	a.lose(errors.New("a connection has failed")) // which ends the call, and b is not told
	eventually(t, "it is to be said", a.pending)
	closed := make(chan struct{})
	go func() {
		a.Close()
		close(closed)
	}()
	eventually(t, "the app has ended", func() bool {
		select {
		case <-closed:
			return true
		default:
			return false
		}
	})
	b.Close()
	<-done
}

// After an outage in which reports have expired, and nothing else, no owner is taken for dead before it has reported.
func TestOwnersOutliveAnOutage(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	a, b := redis.member(t, keys, echo), redis.member(t, keys, nil)
	lost := func() { t.Error("the session is lost") }
	a.own(t, "s", lost)
	if err := a.Minted(t.Context(), "state", time.Hour); err != nil {
		t.Fatal(err)
	}
	c := redis.client(t)
	for what, ask := range map[string]func() (alive bool, err error){
		"claim": func() (bool, error) {
			_, elsewhere, err := b.Claim(t.Context(), "s", nil)
			return elsewhere != "", err
		},
		"state": func() (bool, error) {
			owner, _, err := b.Minter(t.Context(), "state")
			return owner != "", err
		},
		"owner": func() (bool, error) {
			owner, err := b.Owner(t.Context(), "s")
			return owner != "", err
		},
	} {
		for range 3 { // at whatever moment between two reports
			outage := func() {
				t.Helper()
				if err := c.Set(t.Context(), upKey, "1 1", 0).Err(); err != nil {
					t.Fatal(err)
				}
			}
			outage()
			eventually(t, "b hears of the outage", func() bool { return !b.settled.Load() })
			for _, key := range []string{alivePrefix + a.name, alivePrefix + b.name} {
				if err := c.Del(t.Context(), key).Err(); err != nil {
					t.Fatal(err)
				}
			}
			outage() // it has only just ended
			b.forgetPeer(a.name)
			if !answered(t, ask) {
				t.Errorf("%s: the owner is taken for dead", what)
			}
		}
	}
}

// What a replica did not get before it became the server is recorded again at once.
func TestOwnerIsRecordedAgainAfterAFailover(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	a, b := redis.member(t, keys, echo), redis.member(t, keys, nil)
	a.own(t, "s", func() { t.Error("the session is lost") })
	c := redis.client(t)
	failovers := 0
	eventually(t, "the owner is known again and again, sooner than it is recorded anyway", func() bool {
		b.Forget("s")
		if owner, err := b.Owner(t.Context(), "s"); err != nil || owner == "" {
			return false
		}
		failovers++
		if err := c.Del(t.Context(), a.store.key(ownerPrefix, "s")).Err(); err != nil {
			t.Fatal(err)
		}
		if err := c.ClientKillByFilter(t.Context(), "SKIPME", "yes").Err(); err != nil {
			t.Fatal(err)
		}
		return failovers == 20
	})
}
