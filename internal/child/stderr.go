package child

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// Bounds of what a process may write to its stderr.
const (
	tailLines  = 10      // told to a client when the process dies
	lineBytes  = 8 << 10 // of a line that is logged; the rest of it is left out
	tailBytes  = 400     // of a line that is told
	lineBurst  = 200     // lines logged at once
	linePeriod = 20 * time.Millisecond
	drainTime  = 500 * time.Millisecond // for stderr to end after its process
)

// A stderrTail drains a process's stderr: a log record a line, and the last lines at hand. It reads
// whatever comes, so that the process never blocks on it, but logs no more than it may.
type stderrTail struct {
	log    *slog.Logger
	redact func(string) string
	done   chan struct{}

	mu   sync.Mutex
	tail []string
	rec  *watch.Recorder // nil for none
}

func tailOf(p process.Process, log *slog.Logger, redact func(string) string) *stderrTail {
	t := &stderrTail{log: log, redact: redact, done: make(chan struct{})}
	if stderr, ok := p.(process.Complainer); ok {
		go t.drain(stderr.Stderr())
	} else {
		close(t.done)
	}
	return t
}

func (t *stderrTail) drain(r io.Reader) {
	defer close(t.done)
	lines := newLimiter()
	var partial []byte
	pr, _ := r.(interface {
		ReadPiece() (*bufpool.Piece, int, error)
	})
	for {
		var piece *bufpool.Piece
		var n int
		var err error
		if pr != nil {
			piece, n, err = pr.ReadPiece()
		} else {
			piece = bufpool.Get()
			n, err = r.Read(piece[:])
		}
		var rest []byte
		if piece != nil { // there is none at the end
			rest = piece[:n]
		}
		for len(rest) > 0 {
			line, after, whole := bytes.Cut(rest, []byte{'\n'})
			partial = append(partial, line[:min(len(line), lineBytes-len(partial))]...)
			if whole {
				t.line(partial, &lines)
				partial = partial[:0]
			}
			rest = after
		}
		if piece != nil {
			bufpool.Put(piece)
		}
		if err != nil {
			t.line(partial, &lines)
			lines.report(t.log)
			return
		}
	}
}

func (t *stderrTail) line(line []byte, lines *limiter) {
	line = bytes.TrimRight(line, "\r")
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	text := t.redact(string(bytes.ToValidUTF8(line, []byte("\uFFFD"))))
	t.mu.Lock()
	if len(t.tail) == tailLines {
		t.tail = append(t.tail[:0], t.tail[1:]...)
	}
	t.tail = append(t.tail, text[:min(len(text), tailBytes)])
	rec := t.rec
	t.mu.Unlock()
	rec.Stderr(text)
	if lines.allow(t.log) {
		t.log.Info("stderr", "line", text)
	}
}

// end waits until stderr has been read, though not long: a process that escaped may hold it.
func (t *stderrTail) end() {
	select {
	case <-t.done:
	case <-time.After(drainTime):
	}
}

// lines returns the last lines.
func (t *stderrTail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.tail...)
}

// record lets rec hear of what is written, and of what was written before by a process that was started
// ahead.
func (t *stderrTail) record(rec *watch.Recorder) {
	t.mu.Lock()
	t.rec = rec
	said := append([]string(nil), t.tail...)
	t.mu.Unlock()
	for _, line := range said {
		rec.Stderr(line)
	}
}

// limiter allows lineBurst lines at once and one a linePeriod.
type limiter struct {
	tokens  int
	last    time.Time
	dropped int
}

func newLimiter() limiter { return limiter{tokens: lineBurst, last: time.Now()} }

func (l *limiter) allow(log *slog.Logger) bool {
	if n := int(time.Since(l.last) / linePeriod); n > 0 {
		l.tokens = min(l.tokens+n, lineBurst)
		l.last = l.last.Add(time.Duration(n) * linePeriod)
	}
	if l.tokens == 0 {
		l.dropped++
		return false
	}
	l.tokens--
	l.report(log)
	return true
}

func (l *limiter) report(log *slog.Logger) {
	if l.dropped > 0 {
		log.Warn("the server wrote too many lines; some were not logged", "lines", l.dropped)
		l.dropped = 0
	}
}
