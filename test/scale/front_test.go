//go:build e2e

package scale

import (
	"context"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// A front deals requests out to instances in turn, whatever session they are of.
type front struct {
	URL string
	cut time.Duration // after which an answer is broken off, as a load balancer does; zero for never

	mu        sync.Mutex
	instances []*instance
	next      int
	answers   map[int]int // to POSTs, by status
	hit       int         // requests that a kill hit
}

func newFront(t *testing.T) *front {
	f := &front{answers: map[int]int{}}
	server := httptest.NewServer(f)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	f.URL = server.URL
	return f
}

// Endpoint is the address of one server of the project.
func (f *front) Endpoint(server string) string { return f.URL + "/api/mcp/" + server }

func (f *front) up() []*instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.instances)
}

func (f *front) join(i *instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances = append(f.instances, i)
}

// leave lets an instance have no more requests.
func (f *front) leave(i *instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances = slices.DeleteFunc(f.instances, func(other *instance) bool { return other == i })
}

// deal chooses the next instance; done must be called when it has answered.
func (f *front) deal(method string) (i *instance, done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.instances) == 0 {
		return nil, nil
	}
	f.next++
	i = f.instances[f.next%len(f.instances)]
	if method == http.MethodGet {
		return i, func() {}
	}
	i.flying.Add(1)
	return i, i.flying.Done
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i, done := f.deal(r.Method)
	if i == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer done()
	if f.cut > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), f.cut)
		defer cancel()
		r = r.WithContext(ctx)
	}
	f.pass(w, r, i)
}

// pass lets one instance answer. One that is killed before it has begun to is a 502, and one that is
// killed later a connection that breaks off.
func (f *front) pass(w http.ResponseWriter, r *http.Request, i *instance) {
	target, err := url.Parse(i.url)
	if err != nil {
		panic(err) // it is the host's own
	}
	defer func() {
		if broken := recover(); broken != nil {
			f.struck(r)
			panic(broken)
		}
	}()
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = target.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			if resp.StatusCode >= http.StatusInternalServerError && !slices.Contains(f.up(), i) {
				f.struck(r) // says the host, whose handler is gone
			} else if r.Method == http.MethodPost && (resp.StatusCode != http.StatusNotFound || r.Header.Get("Mcp-Session-Id") != "") {
				f.count(resp.StatusCode) // but for servers that have no server/discover, which is asked without a session
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			f.struck(r)
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	proxy.ServeHTTP(w, r)
}

// struck counts a request that its instance did not finish. Streams that have no end of their own are
// not counted, and neither is what a client gave up.
func (f *front) struck(r *http.Request) {
	if r.Method == http.MethodGet || r.Context().Err() != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hit++
}

func (f *front) count(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[status]++
}

// tally returns how POSTs were answered so far, by status, and how many a kill hit.
func (f *front) tally() (answers map[int]int, hit int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.answers), f.hit
}
