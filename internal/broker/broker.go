// Package broker lets a server's process act as the user who calls, without holding the app's secret or the
// user's token. It serves the managed identity protocol of App Service (version 2019-08-01, Microsoft's "How to
// use managed identities for App Service", REST endpoint) on loopback. Azure's SDKs already speak that
// protocol, so a server that was written for its author's `az login` works unchanged: it asks for a token, and
// the broker exchanges the newest token of the session's user for one (OAuth 2.0 on-behalf-of).
//
// Every session has a [Lease] for its process: an address and a secret that no other process has, valid for the
// resources that the configuration names and no longer than the session. A request passes, in this order: the
// lease's secret (endpoint.go, lease.go), its rate limit, the protocol, and the allow-list (resource.go). Then
// it reaches one of two sources: the exchange (exchange.go) or, for method azure_default, the app's own
// identity (platform.go).
package broker

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/pace"
)

// maxConnections bounds what processes can have open at once, all together: each costs the app a file
// descriptor. A token takes milliseconds.
const maxConnections = 256

// Options are the seams of a Broker. The zero value is for production.
type Options struct {
	Logger *slog.Logger // nil discards

	// Transport reaches the identity provider and the platform's own endpoint. Nil means one that
	// uses no proxy: the platform's endpoint is next door, and what goes there is a secret.
	Transport http.RoundTripper

	// LookupEnv reads the app's own environment, at every use. Nil means os.LookupEnv.
	LookupEnv func(name string) (value string, ok bool)

	// Listener wraps the listener for the processes' requests, to refuse some of their connections. Nil
	// refuses none.
	Listener func(net.Listener) net.Listener

	Now func() time.Time // nil means time.Now
}

// A Broker answers the processes of an app. It begins to listen with the first lease that needs it.
// Its methods may be called from many goroutines at once.
type Broker struct {
	log      *slog.Logger
	identity platform // the app's
	now      func() time.Time
	wrap     func(net.Listener) net.Listener // nil for none

	server http.Server
	served chan struct{}  // closed when nothing is accepted any more
	conns  sync.WaitGroup // grows only until served is closed
	open   atomic.Int64

	mu     sync.Mutex
	leases map[string]*Lease // by the lease's part of the path
	origin string            // http://127.0.0.1:port, once listening
	closed bool
}

// New returns a broker. Close it.
func New(o Options) *Broker {
	b := &Broker{
		log:      cmp.Or(o.Logger, slog.New(slog.DiscardHandler)),
		identity: platform{o.LookupEnv, newClient(o.Transport)},
		now:      o.Now,
		wrap:     o.Listener,
		served:   make(chan struct{}),
		leases:   make(map[string]*Lease),
	}
	if o.LookupEnv == nil {
		b.identity.lookup = os.LookupEnv
	}
	if b.now == nil {
		b.now = time.Now
	}
	b.server = http.Server{
		Handler:           http.HandlerFunc(b.answer),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      answerTimeout + 5*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxRequest - 4096, // net/http adds as much
		ErrorLog:          slog.NewLogLogger(b.log.Handler(), slog.LevelDebug),
		ConnState:         b.count,

		DisableGeneralOptionsHandler: true, // "OPTIONS *" would be answered with yes
	}
	return b
}

// count follows the connections, so that there are not too many and Close can wait for all.
func (b *Broker) count(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		b.conns.Add(1)
		if b.open.Add(1) > maxConnections {
			c.Close()
		}
	case http.StateClosed:
		b.open.Add(-1)
		b.conns.Done()
	}
}

// Check says what would keep a server's processes from getting tokens for any caller: an app with
// such a server had better not start. It does not use the network, and needs no caller in g.
func (b *Broker) Check(g Grant) error {
	_, err := b.source(g)
	return err
}

// Lease returns what the process of a session needs to ask for tokens. For methods that have none to
// give the lease still knows the process's environment. It belongs to the user that g.Caller returns
// now, and is required for method azure_obo. Close it when the session ends.
func (b *Broker) Lease(g Grant) (*Lease, error) {
	l := &Lease{
		broker: b,
		grant:  g,
		pace:   pace.Bucket{Burst: burst, Rate: rate},
	}
	l.live, l.end = context.WithCancel(context.Background())
	if c := l.caller(); c != nil {
		l.principal = c.Principal
	}
	if g.Auth.Method == config.AuthAzureOBO && l.principal == "" {
		return nil, errNoUser
	}
	src, err := b.source(g)
	if err != nil {
		return nil, err
	}
	if src == nil {
		return l, nil
	}
	l.source, l.log = src, b.log.With("server", g.Server)
	l.path, l.secret = rand.Text(), rand.Text()+rand.Text() // 130 and 260 bits
	if l.origin, err = b.register(l); err != nil {
		return nil, err
	}
	return l, nil
}

// register makes the lease's path an address, and returns the part before it.
func (b *Broker) register(l *Lease) (origin string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return "", http.ErrServerClosed
	}
	if b.origin == "" {
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return "", fmt.Errorf("listen for token requests: %w", err)
		}
		b.origin = "http://" + ln.Addr().String()
		if b.wrap != nil {
			ln = b.wrap(ln)
		}
		go func() {
			defer close(b.served)
			if err := b.server.Serve(ln); err != http.ErrServerClosed {
				b.log.Error("token requests are no longer answered", "error", err)
			}
		}()
	}
	b.leases[l.path] = l
	return b.origin, nil
}

// lease returns the one at a path, or nil.
func (b *Broker) lease(path string) *Lease {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.leases[path]
}

func (b *Broker) forget(path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.leases, path)
}

// Close ends all requests and leases, and returns when nothing of the broker runs any more.
func (b *Broker) Close() {
	b.mu.Lock()
	b.closed = true
	listening := b.origin != ""
	leases := b.leases
	b.leases = nil
	b.mu.Unlock()

	for _, l := range leases {
		l.Close()
	}
	b.server.Close()
	if listening {
		<-b.served
		b.conns.Wait()
	}
	b.identity.http.CloseIdleConnections()
}

// A source gets a token for a resource. newest returns the caller whose token is good now.
type source interface {
	token(ctx context.Context, newest func() (*authn.Caller, error), resource string) (*token, error)
}

// source returns where a server's tokens come from, nil if it gets none from here.
func (b *Broker) source(g Grant) (source, error) {
	switch g.Auth.Method {
	case config.AuthAzureDefault:
		if !b.identity.present() {
			return nil, nil // a developer's machine: the SDKs find `az login` on their own
		}
		return newDelegate(b.identity, g.Auth), nil
	case config.AuthAzureOBO:
		credential, err := b.identity.credential(g)
		if err != nil {
			return nil, err
		}
		return newExchange(g, credential, b.identity.http, b.now)
	}
	return nil, nil
}
