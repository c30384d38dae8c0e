package watch

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// A said keeps a line per report.
type said struct {
	lines    []string
	messages []Message
}

func (s *said) Open(server, name string, pool bool) SessionSink {
	s.lines = append(s.lines, fmt.Sprintf("open %s %s %v", server, name, pool))
	return s
}
func (s *said) Close()             { s.lines = append(s.lines, "close") }
func (s *said) Started(pid int)    { s.lines = append(s.lines, fmt.Sprintf("started %d", pid)) }
func (s *said) Stderr(line string) { s.lines = append(s.lines, "stderr "+line) }
func (s *said) Exited(how string)  { s.lines = append(s.lines, "exited "+how) }
func (s *said) Ended(why string)   { s.lines = append(s.lines, "ended "+why) }
func (s *said) Message(m Message, _ *message.Message, waiting int) {
	s.lines = append(s.lines, fmt.Sprintf("%s %s %s %s %.1f, %d wait", m.From, m.Kind, m.Method, m.ID, m.Took, waiting))
	s.messages = append(s.messages, m)
}

func newHub() (*said, *Hub) {
	s := &said{}
	return s, New(Options{Secrets: secret.New("hunter2-hunter2"), Sink: s})
}

func parse(t testing.TB, text string) *message.Message {
	t.Helper()
	m, err := message.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Free)
	return m
}

func TestSinkIsToldInOrderAndWithoutSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := newHub()
		r := h.Open("git", "a1b2", true, nil)
		r.Started(42)
		r.Sent(parse(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
		r.Sent(parse(t, `{"jsonrpc":"2.0","id":"x","method":"hunter2-hunter2"}`))
		r.Received(parse(t, `{"jsonrpc":"2.0","id":1,"method":"roots/list"}`)) // the server's own id
		time.Sleep(1500 * time.Microsecond)
		r.Received(parse(t, `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}`))
		r.Received(parse(t, `{"jsonrpc":"2.0","id":1,"result":{}}`)) // nobody asked again
		r.Sent(parse(t, `{"jsonrpc":"2.0","id":1,"result":{}}`))
		r.Stderr(strings.Repeat("é", LineBytes))
		r.Exited("hunter2-hunter2 killed it")
		r.Received(parse(t, `{"jsonrpc":"2.0","id":"x","result":{}}`))
		r.Ended("of hunter2-hunter2")
		h.Close()
		want := []string{
			"open git a1b2 true", "started 42",
			"client request tools/call 1 0.0, 1 wait", `client request [redacted] "x" 0.0, 2 wait`,
			"server request roots/list 1 0.0, 2 wait", "server error tools/call 1 1.5, 1 wait",
			"server response  1 0.0, 1 wait", "client response roots/list 1 1.5, 1 wait",
			"stderr " + strings.Repeat("é", LineBytes/2), "exited [redacted] killed it",
			`server response  "x" 0.0, 0 wait`, "ended of [redacted]", "close",
		}
		if diff := cmp.Diff(want, s.lines); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func TestSecretAcrossTheCutIsBlankedWhole(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s, h := newHub()
	h.opts.Wire = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := h.Open("s", "n", false, nil)
	const secret = "hunter2-hunter2"
	head := `{"jsonrpc":"2.0","id":"` + secret + `","method":"` + secret + `","params":"`
	for at := BodyBytes - len(secret) - len(head); at <= BodyBytes; at++ {
		r.Sent(parse(t, head+strings.Repeat("x", at)+secret+strings.Repeat("z", 2*BodyBytes)+`"}`))
	}
	for _, m := range s.messages {
		if len(m.Body) > BodyBytes || m.Cut != m.Size-len(m.Body) {
			t.Errorf("%d bytes of %d are kept and %d are said to be cut", len(m.Body), m.Size, m.Cut)
		}
		fmt.Fprint(&log, m)
	}
	if i := strings.Index(log.String(), "hunter2"); i >= 0 {
		t.Errorf("found %.40q", log.String()[i:])
	}
}

func TestNilHubCostsNothing(t *testing.T) {
	var h *Hub
	m := parse(t, `{"jsonrpc":"2.0","method":"m"}`)
	r := h.Open("s", "n", false, nil)
	if n := testing.AllocsPerRun(100, func() {
		r.Started(1)
		r.Sent(m)
		r.Received(m)
		r.Stderr("line")
		r.Exited("so")
		r.Ended("so")
	}); n != 0 || r != nil {
		t.Errorf("%v allocations, recorder %v", n, r)
	}
	h.Close()
}
