package mcpfunc

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// A countingConn counts the writes, which are system calls.
type countingConn struct {
	net.Conn
	writes *atomic.Int32
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

type countingListener struct {
	net.Listener
	writes *atomic.Int32
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countingConn{c, l.writes}, err
}

// gatherServer serves as ListenAndServe does, and counts the writes unless that is nil.
func gatherServer(t *testing.T, writes *atomic.Int32, handler http.HandlerFunc) *bufio.ReadWriter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if writes != nil {
		l = countingListener{l, writes}
	}
	srv := &http.Server{ConnContext: withGatherer, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(gathererKey{}).(*gatherer)
		h := &headed{ResponseWriter: w, conn: conn}
		handler(h, r)
		h.finish(r)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(patientListener{l})
	}()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		srv.Close()
		<-done
	})
	return bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c))
}

// exchange sends a request, and returns the body of the answer.
func exchange(t *testing.T, c *bufio.ReadWriter, method, version string) string {
	t.Helper()
	c.WriteString(method + " / " + version + "\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.Reader, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestResponseGoesInFewWrites(t *testing.T) {
	t.Parallel()
	text := func(n int) string { return strings.Repeat("0123456789abcdef", n/16) }
	for name, tt := range map[string]struct {
		length  string // the Content-Length; empty for chunks
		parts   []string
		flush   bool
		writes  int32
		methods string
		version string
	}{
		"a small body":                       {length: "160", parts: []string{text(160)}, writes: 1},
		"a body of 10 KiB":                   {length: "10240", parts: []string{text(10 << 10)}, writes: 1},
		"chunks":                             {parts: []string{text(160)}, writes: 1},
		"chunks of 15 KiB":                   {parts: []string{text(15 << 10)}, writes: 1},
		"many chunks":                        {parts: []string{text(5 << 10), text(160), text(9 << 10), text(16)}, writes: 1},
		"chunks that are flushed":            {parts: []string{text(15 << 10), text(15 << 10)}, flush: true, writes: 3}, // the end of the chunks is a write
		"a large body":                       {length: "1048576", parts: []string{text(1 << 20)}, writes: 2},
		"large chunks":                       {parts: []string{text(1 << 20), text(160)}, writes: 3},
		"an answer without a body":           {length: "10240", parts: []string{text(10 << 10)}, writes: 1, methods: http.MethodHead},
		"chunks without a body":              {parts: []string{text(10 << 10)}, writes: 1, methods: http.MethodHead},
		"a client that has no chunks":        {parts: []string{text(15 << 10)}, writes: 1, version: "HTTP/1.0"},
		"a small body for such a client":     {length: "160", parts: []string{text(160)}, writes: 1, version: "HTTP/1.0"},
		"a body of 10 KiB for such a client": {length: "10240", parts: []string{text(10 << 10)}, writes: 1, version: "HTTP/1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := func(w http.ResponseWriter, r *http.Request) {
				if tt.length != "" {
					w.Header().Set("Content-Length", tt.length)
				}
				for _, part := range tt.parts {
					io.WriteString(w, part)
					if tt.flush {
						http.NewResponseController(w).Flush()
					}
				}
			}
			if tt.methods == "" {
				tt.methods = http.MethodGet
			}
			if tt.version == "" {
				tt.version = "HTTP/1.1"
			}
			want := strings.Join(tt.parts, "")
			if tt.methods == http.MethodHead {
				want = ""
			}
			var writes atomic.Int32
			for _, count := range []*atomic.Int32{&writes, nil} { // without, the system gathers what is large
				c := gatherServer(t, count, handler)
				for range 3 {
					writes.Store(0)
					if got := exchange(t, c, tt.methods, tt.version); got != want {
						t.Fatalf("%d bytes came, want %d", len(got), len(want))
					}
					if got := writes.Load(); count != nil && got != tt.writes {
						t.Errorf("%d writes, want %d", got, tt.writes)
					}
					if tt.version == "HTTP/1.0" && tt.length == "" {
						break // the connection has ended with it
					}
				}
			}
		})
	}
}

// What is flushed is there before the answer ends.
func TestFlushedPartIsNotHeld(t *testing.T) {
	t.Parallel()
	seen := make(chan struct{})
	c := gatherServer(t, nil, func(w http.ResponseWriter, r *http.Request) {
		for range 2 {
			w.Write(make([]byte, 10<<10))
			http.NewResponseController(w).Flush()
			<-seen
		}
	})
	c.WriteString("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	c.Flush()
	resp, err := http.ReadResponse(c.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := io.ReadFull(resp.Body, make([]byte, 10<<10)); err != nil {
			t.Fatal(err)
		}
		seen <- struct{}{}
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Errorf("then %d bytes, %v", len(rest), err)
	}
}
