package broker

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/authn"
)

func TestClosedLeaseIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	u := l.signedIn(alice)
	lease := l.lease(u)
	vars, other := environ(t, lease), environ(t, l.lease(u))
	if got := ask(t, vars, arm); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.raw)
	}
	lease.Close()
	lease.Close()
	if got := ask(t, vars, arm); got.status != http.StatusUnauthorized {
		t.Errorf("after Close: %d %s", got.status, got.raw)
	}
	if vars, err := lease.Environ(nil); err == nil {
		t.Errorf("variables after Close: %v", vars)
	}
	if got := ask(t, other, arm); got.status != http.StatusOK {
		t.Errorf("the user's other session: %d %s", got.status, got.raw)
	}
}

// stuck makes Entra hang, and returns what is closed once it is asked.
func (l *lab) stuck() <-chan struct{} {
	asked := make(chan struct{})
	once := sync.OnceFunc(func() { close(asked) })
	l.entra.Break(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // a server notices that its client has left only once the body is read
		once()
		<-r.Context().Done()
	}))
	return asked
}

func TestClosingALeaseEndsItsExchange(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	lease := l.lease(l.signedIn(alice))
	r := request(t, environ(t, lease), arm)
	asked := l.stuck()
	answered := make(chan answer, 1)
	go func() { answered <- send(t, r) }()
	<-asked
	lease.Close()
	select {
	case got := <-answered:
		if got.status != http.StatusUnauthorized || got.description != errClosed.description {
			t.Errorf("got %d %s", got.status, got.raw)
		}
	case <-time.After(answerTimeout / 2): // before it would be given up anyway
		t.Error("the exchange goes on")
	}
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	u := l.signedIn(alice)
	r := request(t, environ(t, l.lease(u)), arm)
	idle, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.URL.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	asked := l.stuck()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
			resp.Body.Close()
		}
	}()
	<-asked
	l.broker.Close()
	l.broker.Close()
	if n := l.broker.open.Load(); n != 0 {
		t.Errorf("%d connections left", n)
	}
	<-done
	if c, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", r.URL.Host); err == nil {
		c.Close()
		t.Error("still listening")
	}
	if _, err := l.broker.Lease(Grant{Auth: l.auth, Env: l.env, Caller: u.caller}); err != http.ErrServerClosed {
		t.Errorf("a lease after Close: %v", err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	vars := environ(t, l.lease(l.signedIn(alice)))
	host := mustParse(t, vars["IDENTITY_ENDPOINT"]).Host
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for range maxConnections {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	one, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	one.SetReadDeadline(time.Now().Add(3 * time.Second)) // before the others time out
	if _, err := one.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("one connection too many: %v, want it closed", err)
	}
}

func TestSlowExchangeIsGivenUpAndSoIsTheWaitForIt(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	lease := l.lease(l.signedIn(alice))
	asked := l.stuck()
	first := make(chan error, 1)
	go func() {
		_, err := lease.token(t.Context(), arm)
		first <- err
	}()
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := lease.token(ctx, fabric); lease.explain(fabric, err) != errUnavailable {
		t.Errorf("the second: %v", err)
	}
	select {
	case err := <-first:
		t.Errorf("the first did not wait: %v", err)
	default:
	}
	lease.Close()
	if err := <-first; err != errClosed {
		t.Errorf("the first: %v", err)
	}
}

func TestClosedLeaseKeepsNoChallenge(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	u := l.signedIn(alice)
	lease := l.lease(u)
	lease.Close()
	lease.demand(&interactionError{&deniedError{Claims: claims}, u.caller()})
	if e := lease.Challenge(u.caller()); e != nil {
		t.Errorf("got %v", e)
	}
}

func TestUserIsNeededForAUsersTokens(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	nobody := func() *authn.Caller { return nil }
	for name, caller := range map[string]func() *authn.Caller{"none": nil, "nil": nobody} {
		if _, err := l.broker.Lease(Grant{Auth: l.auth, Env: l.env, Caller: caller}); err != errNoUser {
			t.Errorf("%s: %v", name, err)
		}
	}
}
