//go:build e2e

package backplane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// A member is an instance of an app that answers what is passed on to it.
type member struct {
	*Instance
	store *Store
	log   *instance // where what it says is read
}

type answerer func(w http.ResponseWriter, r *http.Request, p Passed)

func (s server) member(t *testing.T, keys *ticket.Keys, answer answerer) *member {
	t.Helper()
	log := &instance{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	store, err := Open(s.URL, logger, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &member{NewInstance(store, keys, logger), store, log}
	if answer == nil {
		answer = func(w http.ResponseWriter, r *http.Request, p Passed) { t.Error("it was passed on to the wrong one") }
	}
	m.Start(answer)
	t.Cleanup(func() {
		m.Close()
		store.Close()
	})
	return m
}

func (m *member) own(t *testing.T, name string, lost func()) (release func()) {
	t.Helper()
	release, elsewhere, err := m.Claim(t.Context(), name, lost)
	if err != nil || elsewhere != "" {
		t.Fatalf("claim %s: elsewhere %q, %v", name, elsewhere, err)
	}
	return release
}

func (m *member) ownerOf(t *testing.T, name string) string {
	t.Helper()
	owner, err := m.Owner(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return owner
}

// pass passes a request on to the owner of what is called name.
func (m *member) pass(ctx context.Context, t *testing.T, name string, body string) (*httptest.ResponseRecorder, error) {
	w := httptest.NewRecorder()
	owner, err := m.Owner(ctx, name)
	if err != nil {
		return w, err
	}
	r := httptest.NewRequest("POST", "/api/mcp/x?y=%2F", nil)
	r.Header.Set("Authorization", "Bearer secret")
	return w, m.Forward(ctx, w, r, Target{Owner: owner, Session: name, Passed: Passed{"p", "c"}}, bytes.NewBuffer([]byte(body)), false)
}

func echo(w http.ResponseWriter, r *http.Request, p Passed) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Got", fmt.Sprint(r.Method, " ", r.URL.EscapedPath(), "?", r.URL.RawQuery, " ", p, " ", r.ContentLength))
	w.WriteHeader(http.StatusAccepted)
	w.Write(body)
}

func TestRequestIsAnsweredByTheOwner(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	a, b := redis.member(t, keys, echo), redis.member(t, keys, nil)
	a.own(t, "s", nil)
	for _, size := range []int{0, 10, pieceSize, pieceSize + 1, 20 * pieceSize} {
		body := strings.Repeat("0123456789", size/10+1)[:size]
		w, err := b.pass(t.Context(), t, "s", body)
		if err != nil || w.Code != http.StatusAccepted || sha256.Sum256(w.Body.Bytes()) != sha256.Sum256([]byte(body)) {
			t.Fatalf("%d bytes: %v, %d, %d bytes back", size, err, w.Code, w.Body.Len())
		}
		if got, want := w.Header().Get("Got"), fmt.Sprintf("POST /api/mcp/x?y=%%2F {p c} %d", size); got != want {
			t.Errorf("the owner got %q, want %q", got, want)
		}
	}
	if f := b.Figures(); f.Forwarded != 5 || f.Owned != 0 {
		t.Errorf("figures %+v", f)
	}
	if f := a.Figures(); f.Answered != 5 || f.Owned != 1 {
		t.Errorf("figures of the owner %+v", f)
	}
	eventually(t, "nothing is left in the mailboxes", func() bool {
		c := redis.client(t)
		return c.XLen(t.Context(), boxPrefix+a.name).Val()+c.XLen(t.Context(), boxPrefix+b.name).Val() == 0
	})
}

// What comes piece by piece is passed on so, and a client that goes away is heard of.
func TestStreamIsFollowedUntilItsClientGoes(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	next, gone := make(chan string), make(chan struct{})
	a := redis.member(t, keys, func(w http.ResponseWriter, r *http.Request, p Passed) {
		defer close(gone)
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			select {
			case text := <-next:
				io.WriteString(w, text)
				http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	b := redis.member(t, keys, nil)
	a.own(t, "s", nil)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		owner, err := b.Owner(r.Context(), "s")
		if err == nil {
			err = b.Forward(r.Context(), w, r, Target{Owner: owner, Session: "s"}, nil, false)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the end of the client is %v", err)
		}
	}))
	defer front.Close()
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "GET", front.URL, nil)
	go func() { next <- "one" }()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, want := range []string{"one", "two", strings.Repeat("large", window)} {
		if want != "one" {
			go func() { next <- want }()
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
	cancel()
	select {
	case <-gone:
	case <-time.After(testlimit.Wait()):
		t.Error("the owner does not hear that the client is gone")
	}
}

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

func TestCallsOfAnOwnerThatDiesEndWithAReason(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	began := make(chan struct{})
	a := redis.member(t, keys, func(w http.ResponseWriter, r *http.Request, p Passed) {
		close(began)
		<-r.Context().Done()
	})
	b := redis.member(t, keys, echo)
	a.own(t, "s", nil)
	done := make(chan error, 1)
	go func() {
		_, err := b.pass(t.Context(), t, "s", "x")
		done <- err
	}()
	<-began
	a.vanish()
	var lost *LostError
	if err := <-done; !errors.As(err, &lost) || !lost.Gone() || lost.Unsent {
		t.Errorf("got %v", err)
	}
	b.own(t, "s", nil)
}

// Who is taken for dead, and is not, hears that another has taken over.
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

// Whatever is put into a mailbox, its reader goes on.
func TestRubbishInAMailboxIsPassedOver(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	a, b := redis.member(t, keys, echo), redis.member(t, keys, nil)
	a.own(t, "s", nil)
	c := redis.client(t)
	for _, box := range []string{boxPrefix + a.name, boxPrefix + b.name} {
		for _, field := range []string{"x", "x-1", b.name + "-1", b.name + "-zzz", "-"} {
			if err := c.Do(t.Context(), "XADD", box, "*", field, strings.Repeat("rubbish", 100)).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	stranger := redis.member(t, ticket.RandomKeys(), nil)
	if owner := stranger.ownerOf(t, "s"); owner != "" {
		t.Errorf("an app with another key finds %s", owner)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	target := Target{Owner: b.ownerOf(t, "s"), Session: "s", Passed: Passed{"p", "c"}}
	err := stranger.Forward(ctx, httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil), target, strings.NewReader("x"), false)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an app with another key gets %v", err)
	}
	if w, err := b.pass(t.Context(), t, "s", "x"); err != nil || w.Body.String() != "x" {
		t.Errorf("after rubbish: %v", err)
	}
	if !a.log.logged("no other instance wrote it") {
		t.Error("nothing is said of it")
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

// A client that does not read holds nobody up: neither other calls, nor the end of the app.
func TestClientThatDoesNotReadHoldsNothingUp(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	blocked := make(chan struct{})
	a := redis.member(t, keys, func(w http.ResponseWriter, r *http.Request, p Passed) {
		if r.Method == http.MethodPost {
			echo(w, r, p)
			return
		}
		defer close(blocked)
		for {
			if _, err := w.Write(make([]byte, pieceSize)); err != nil {
				return
			}
		}
	})
	b := redis.member(t, keys, nil)
	a.own(t, "s", nil)
	stuck := &stuckWriter{header: http.Header{}, written: make(chan struct{}), goOn: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		done <- b.Forward(t.Context(), stuck, httptest.NewRequest("GET", "/", nil), Target{Owner: b.ownerOf(t, "s"), Session: "s"}, nil, false)
	}()
	<-stuck.written
	for range 50 {
		if w, err := b.pass(t.Context(), t, "s", "x"); err != nil || w.Body.String() != "x" {
			t.Fatalf("beside it: %v", err)
		}
	}
	closed := make(chan struct{})
	go func() {
		a.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(testlimit.Wait()):
		t.Error("the app does not end")
	}
	<-blocked
	close(stuck.goOn)
	if err := <-done; err == nil {
		t.Error("an answer without an end is whole")
	}
	if n := b.unread; n != 0 {
		t.Errorf("%d bytes are counted as unread", n)
	}
}

// A stuckWriter does not take anything until it may.
type stuckWriter struct {
	header        http.Header
	once          sync.Once
	written, goOn chan struct{}
}

func (w *stuckWriter) Header() http.Header { return w.header }
func (w *stuckWriter) WriteHeader(int)     {}
func (w *stuckWriter) Flush()              {}

func (w *stuckWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.written) })
	<-w.goOn
	return len(p), nil
}
