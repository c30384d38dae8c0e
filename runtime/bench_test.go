package mcpfunc

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// echoLauncher starts servers in memory that answer every request at once.
type echoLauncher struct{}

func (echoLauncher) Launch(context.Context, Server, []string) (Process, error) {
	p := &echoProcess{answers: make(chan []byte, 1), gone: make(chan struct{})}
	return p, nil
}

// An echoProcess is a process in memory of the least cost: what is written to it is answered from a
// buffer, without a goroutine of its own. It takes one request at a time.
type echoProcess struct {
	answers chan []byte
	answer  []byte
	rest    []byte
	gone    chan struct{}
}

func (p *echoProcess) Write(line []byte) (int, error) {
	from := bytes.Index(line, []byte(`"id":`))
	if from < 0 {
		return len(line), nil // a notification
	}
	id := line[from+len(`"id":`):]
	id = id[:bytes.IndexAny(id, ",}")]
	p.answer = append(append(p.answer[:0], `{"jsonrpc":"2.0","id":`...), id...)
	p.answer = append(p.answer, `,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}`+"\n"...)
	p.answers <- p.answer
	return len(line), nil
}

func (p *echoProcess) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		select {
		case p.rest = <-p.answers:
		case <-p.gone:
			return 0, io.EOF
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *echoProcess) Close() error { return p.Kill() }
func (p *echoProcess) Wait() error  { <-p.gone; return nil }

func (p *echoProcess) Kill() error {
	select {
	case <-p.gone:
	default:
		close(p.gone)
	}
	return nil
}

// A sink is a ResponseWriter that keeps nothing.
type sink struct {
	header http.Header
	status int
	size   int
}

func (s *sink) Header() http.Header             { return s.header }
func (s *sink) WriteHeader(status int)          { s.status = status }
func (s *sink) SetReadDeadline(time.Time) error { return nil }
func (s *sink) Write(p []byte) (int, error)     { s.size += len(p); return len(p), nil }

// poster posts the same request to an App again and again, without HTTP.
type poster struct {
	app    *App
	body   *bytes.Reader
	text   []byte
	r      *http.Request
	answer sink
}

// newPoster returns a poster to an App whose requests the Functions host ends after limit; zero for never. Without
// a redis, it does not share sessions.
func newPoster(tb testing.TB, limit time.Duration, redis string) *poster {
	app, err := New(&Config{
		Servers: []Server{{Name: "echo", Command: "echo", Era: "legacy"}}, functionTimeout: limit,
		sessionKeys: strings.Repeat("0123456789abcdef", 4), redisURL: redis,
	}, &Options{Launcher: echoLauncher{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { app.Close() })
	p := &poster{app: app, answer: sink{header: http.Header{}}}
	p.prepare(tb, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	p.post(tb)
	id := p.answer.header.Get("Mcp-Session-Id")
	p.prepare(tb, `{"jsonrpc":"2.0","id":12345,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"},"_meta":{"progressToken":12345}}}`)
	p.r.Header.Set("Mcp-Session-Id", id)
	return p
}

func (p *poster) prepare(tb testing.TB, text string) {
	p.text, p.body = []byte(text), bytes.NewReader(nil)
	r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/api/mcp", io.NopCloser(p.body))
	if err != nil {
		tb.Fatal(err)
	}
	r.ContentLength, r.RemoteAddr = int64(len(text)), "127.0.0.1:12345"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	p.r = r
}

func (p *poster) post(tb testing.TB) {
	p.body.Reset(p.text)
	p.answer.status, p.answer.size = 0, 0
	p.app.ServeHTTP(&p.answer, p.r)
	if p.answer.status != http.StatusOK || p.answer.size == 0 {
		tb.Fatalf("HTTP %s, %d bytes", strconv.Itoa(p.answer.status), p.answer.size)
	}
}

// BenchmarkPost is one call through the whole App, without HTTP and without a process.
func BenchmarkPost(b *testing.B) {
	for _, tt := range []struct{ name, redis string }{{"alone", ""}, {"redis", noRedis}} {
		b.Run(tt.name, func(b *testing.B) {
			p := newPoster(b, 30*time.Minute, tt.redis)
			b.ReportAllocs()
			for b.Loop() {
				p.post(b)
			}
		})
	}
}

// noRedis is the address of a Redis that is away. A POST of a session that is here does not notice.
const noRedis = "redis://127.0.0.1:1"

func TestPostAllocatesWithinItsBudget(t *testing.T) {
	if raceEnabled {
		t.Log("counted without the race detector, which allocates")
		return
	}
	// What session makes for a POST, and the text of the id, which is that of the progress token as well. Each may
	// outlive the POST, for a late answer, so that none is used again.
	const budget = 2
	for limit, budget := range map[time.Duration]float64{0: budget, 30 * time.Minute: budget + 1} { // a child.Limited
		for _, redis := range []string{"", noRedis} {
			p := newPoster(t, limit, redis)
			n := testing.AllocsPerRun(200, func() { p.post(t) })
			for range 20 { // with a Redis, goroutines allocate now and then
				n = min(n, testing.AllocsPerRun(200, func() { p.post(t) }))
			}
			if n > budget {
				t.Errorf("with a limit of %v and Redis %q, a POST makes %v allocations, and %v are its budget", limit, redis, n, budget)
			}
		}
	}
}
