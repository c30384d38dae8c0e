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
	return answered(t, func() (func(), error) {
		release, elsewhere, err := m.Claim(t.Context(), name, lost)
		if elsewhere != "" {
			t.Fatalf("claim %s: elsewhere %q", name, elsewhere)
		}
		return release, err
	})
}

func (m *member) ownerOf(t *testing.T, name string) string {
	t.Helper()
	return answered(t, func() (string, error) { return m.Owner(t.Context(), name) })
}

// answered asks until Redis answers in time, which it may not on a machine under load.
func answered[T any](t *testing.T, ask func() (T, error)) (answer T) {
	t.Helper()
	var err error
	if !testlimit.Eventually(func() bool { answer, err = ask(); return err == nil }) {
		t.Fatal(err)
	}
	return answer
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

// An answer is forwarded piece by piece, and the owner hears that the client goes away.
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
