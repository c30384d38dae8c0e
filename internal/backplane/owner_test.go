//go:build e2e

package backplane

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

func TestOneOwnerOfTwoThatBeginAtOnce(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	all := []*member{redis.member(t, keys, echo), redis.member(t, keys, echo), redis.member(t, keys, echo)}
	for n := range 50 {
		name := fmt.Sprint("s", n)
		var mu sync.Mutex
		owners := 0
		var claiming sync.WaitGroup
		for _, m := range all {
			claiming.Go(func() {
				release, elsewhere, err := m.Claim(t.Context(), name, nil)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case release != nil:
					owners++
				case elsewhere == "":
					t.Error("neither this one nor another")
				}
			})
		}
		claiming.Wait()
		if owners != 1 {
			t.Fatalf("%d owners", owners)
		}
		for _, m := range all {
			if m.ownerOf(t, name) == "" {
				continue
			}
			if w, err := m.pass(t.Context(), t, name, "x"); err != nil || w.Body.String() != "x" {
				t.Fatalf("pass on to the one owner: %v", err)
			}
		}
	}
}

func TestOwnerGivesBackAndAnotherTakesOver(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	a, b := redis.member(t, keys, echo), redis.member(t, keys, echo)
	release, twice := a.own(t, "s", nil), a.own(t, "s", nil)
	release()
	if _, err := b.pass(t.Context(), t, "s", "x"); err != nil {
		t.Errorf("one of two holders has released: %v", err)
	}
	twice()
	if _, err := b.pass(t.Context(), t, "s", "x"); !errors.Is(err, ErrRefused) {
		t.Errorf("what was given back is answered: %v", err)
	}
	eventually(t, "nobody owns it", func() bool {
		b.Forget("s")
		return b.ownerOf(t, "s") == ""
	})
	b.own(t, "s", nil)
	if a.ownerOf(t, "s") == "" {
		t.Error("b is not known to own it")
	}
	b.Close()
	a.forgetPeer(b.name)
	if owner := a.ownerOf(t, "s"); owner != "" {
		t.Errorf("what has ended still owns: %s", owner)
	}
}

// vanish makes an instance silent, as one that was killed is.
func (m *member) vanish() {
	m.close()
	m.cancel()
	m.loops.Wait()
}

// begunCall returns the owner of a session, another instance, and how a call of the latter ends, which the owner has begun
// and does not finish.
func begunCall(t *testing.T) (owner, other *member, done chan error) {
	t.Helper()
	redis, keys := startRedis(t), ticket.RandomKeys()
	began := make(chan struct{})
	owner = redis.member(t, keys, func(w http.ResponseWriter, r *http.Request, _ Passed) {
		close(began)
		<-r.Context().Done()
	})
	other = redis.member(t, keys, echo)
	owner.own(t, "s", nil)
	done = make(chan error, 1)
	go func() {
		_, err := other.pass(t.Context(), t, "s", "x")
		done <- err
	}()
	<-began
	return owner, other, done
}

func TestCallsOfAnOwnerThatDiesEndWithAReason(t *testing.T) {
	t.Parallel()
	a, b, done := begunCall(t)
	a.vanish()
	var lost *LostError
	if err := <-done; !errors.As(err, &lost) || !lost.Gone() || lost.Unsent {
		t.Errorf("got %v", err)
	}
	b.own(t, "s", nil)
}

// An instance that was wrongly considered dead hears that another one has taken over.
func TestOwnerThatWasReplacedHearsOfIt(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	a, b := redis.member(t, keys, echo), redis.member(t, keys, echo)
	lost := make(chan struct{})
	a.own(t, "s", func() { close(lost) })
	c := redis.client(t)
	if !testlimit.Eventually(func() bool { // it says that it is alive every second, which may come in between
		c.Del(t.Context(), alivePrefix+a.name) // as if it had been silent for long
		release, _, err := b.Claim(t.Context(), "s", nil)
		return release != nil && err == nil
	}) {
		t.Fatal("b does not take over")
	}
	select {
	case <-lost:
	case <-time.After(testlimit.Wait()):
		t.Error("a does not hear of it")
	}
	if a.ownerOf(t, "s") == "" {
		t.Error("a does not know its successor")
	}
}

// When Redis is away calls fail at once, and nothing is answered twice when it is back. What was owned is owned.
func TestRedisGoesAwayAndComesBackWithoutMemory(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	began, goOn := make(chan struct{}, 8), make(chan struct{})
	a := redis.member(t, keys, func(w http.ResponseWriter, r *http.Request, p Passed) {
		body, _ := io.ReadAll(r.Body)
		if string(body) == "wait" {
			began <- struct{}{}
			<-goOn
		}
		w.Write(body)
	})
	b := redis.member(t, keys, echo)
	a.own(t, "s", func() { t.Error("the session is lost") })
	done := make(chan error, 1)
	go func() {
		_, err := b.pass(t.Context(), t, "s", "wait")
		done <- err
	}()
	<-began
	redis.Stop()
	var lost *LostError
	if err := <-done; !errors.As(err, &lost) || lost.Unsent || lost.Gone() {
		t.Errorf("a call in flight ends with %v", err)
	}
	if _, err := b.pass(t.Context(), t, "s", "now"); err == nil {
		t.Error("a call is answered without Redis")
	}
	if _, _, err := b.Claim(t.Context(), "new", nil); err == nil {
		t.Error("a session is claimed without Redis")
	}
	declared := a.Declare(t.Context(), "declared", nil)
	defer declared()
	close(goOn)
	redis.Start(t)
	// From the first moment: b may not take what a has not told yet.
	if _, elsewhere, err := b.Claim(t.Context(), "s", nil); err == nil && elsewhere == "" {
		t.Error("b has taken what a owns")
	}
	eventually(t, "calls are answered again", func() bool {
		w, err := b.pass(t.Context(), t, "s", "again")
		return err == nil && w.Body.String() == "again"
	})
	eventually(t, "what was declared meanwhile is known", func() bool {
		owner, err := b.Owner(t.Context(), "declared")
		return err == nil && owner != ""
	})
}

func TestStatesGoBackToWhoMintedThem(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	a, b := redis.member(t, keys, echo), redis.member(t, keys, nil)
	if err := a.Minted(t.Context(), "state", time.Minute); err != nil {
		t.Fatal(err)
	}
	owner, gone, err := b.Minter(t.Context(), "state")
	if owner == "" || gone || err != nil {
		t.Fatalf("minter %q, %t, %v", owner, gone, err)
	}
	w := httptest.NewRecorder()
	if err := b.Forward(t.Context(), w, httptest.NewRequest("POST", "/", nil), Target{Owner: owner}, strings.NewReader("x"), false); err != nil || w.Body.String() != "x" {
		t.Errorf("%v, %q", err, w.Body)
	}
	if own, gone, err := a.Minter(t.Context(), "state"); own != "" || gone || err != nil {
		t.Errorf("its own: %q, %t, %v", own, gone, err)
	}
	a.Close()
	b.forgetPeer(a.name)
	if owner, gone, err := b.Minter(t.Context(), "state"); owner != "" || !gone || err != nil {
		t.Errorf("of one that has ended: %q, %t, %v", owner, gone, err)
	}
}

// While a key is replaced some instances have the new one in the first place and some the old one.
func TestOwnersAreFoundWhileAKeyIsReplaced(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	parse := func(list ...string) *ticket.Keys {
		keys, err := ticket.ParseKeys(strings.Join(list, ","))
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	older, newer := strings.Repeat("ab", 31)+"cd", strings.Repeat("ef", 31)+"01"
	for _, order := range [][2][]string{{{older}, {older, newer}}, {{older, newer}, {newer, older}}, {{newer, older}, {newer}}} {
		a, b := redis.member(t, parse(order[0]...), echo), redis.member(t, parse(order[1]...), echo)
		for n, owner := range []*member{a, b} {
			other := []*member{b, a}[n]
			name := fmt.Sprint(order, n)
			release := owner.own(t, name, nil)
			if _, elsewhere, err := other.Claim(t.Context(), name, nil); elsewhere == "" || err != nil {
				t.Errorf("%v: claimed twice, %v", order, err)
			}
			if w, err := other.pass(t.Context(), t, name, "x"); err != nil || w.Body.String() != "x" {
				t.Errorf("%v: pass on: %v", order, err)
			}
			if err := owner.Minted(t.Context(), name, time.Minute); err != nil {
				t.Fatal(err)
			}
			if minter, _, err := other.Minter(t.Context(), name); minter == "" || err != nil {
				t.Errorf("%v: the minter is %q, %v", order, minter, err)
			}
			release()
		}
		for n := range 20 { // at once
			name := fmt.Sprint(order, "at once", n)
			var claiming sync.WaitGroup
			var owners sync.Map
			for _, m := range []*member{a, b} {
				claiming.Go(func() {
					if release, _, err := m.Claim(t.Context(), name, nil); release != nil {
						owners.Store(m, true)
					} else if err != nil {
						t.Error(err)
					}
				})
			}
			claiming.Wait()
			count := 0
			owners.Range(func(any, any) bool { count++; return true })
			if count != 1 {
				t.Errorf("%v: %d owners", order, count)
			}
		}
	}
}
