package child

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/pace"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/secret"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// Bounds of what a process may write to its stderr.
const (
	tailLines = 10                     // told to a client when the process dies
	lineBytes = 8 << 10                // of a line that is logged; the rest of it is left out
	tailBytes = 400                    // of a line that is told
	lineBurst = 200                    // lines logged at once
	lineRate  = 50                     // and then a second
	drainTime = 500 * time.Millisecond // for stderr to end after its process
)

// A stderrTail drains a process's stderr: a log record a line, and the last lines at hand. It reads
// whatever comes, so that the process never blocks on it, but logs no more than it may. A line that is
// not logged costs no more than to be read: secrets are taken out of what leaves alone.
type stderrTail struct {
	log     *slog.Logger
	secrets *secret.Redactor
	done    chan struct{}

	mu   sync.Mutex
	tail tail
	rec  *watch.Recorder // nil for none
}

func tailOf(p any, log *slog.Logger, secrets *secret.Redactor) *stderrTail {
	t := &stderrTail{log: log, secrets: secrets, done: make(chan struct{})}
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
	for {
		piece, n, err := framing.ReadPiece(r)
		var rest []byte
		if piece != nil { // nil at the end
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
		t.mu.Lock()
		t.tail.pause()
		t.mu.Unlock()
		return
	}
	t.mu.Lock()
	t.tail.add(line)
	rec := t.rec
	t.mu.Unlock()
	if lines.allow(t.log) {
		text := shown(t.secrets, line, lineBytes)
		rec.Stderr(text)
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

// lines returns the lines that say why, as they may be shown.
func (t *stderrTail) lines() []string {
	t.mu.Lock()
	lines := t.tail.lines()
	t.mu.Unlock()
	var told []string
	for _, line := range lines {
		text := shown(t.secrets, line, lineBytes)
		told = append(told, text[:min(len(text), tailBytes)])
	}
	return told
}

// record lets rec hear of what is written, and of what was written before by a process that was started
// ahead.
func (t *stderrTail) record(rec *watch.Recorder) {
	t.mu.Lock()
	t.rec = rec
	t.mu.Unlock()
	for _, line := range t.lines() {
		rec.Stderr(line)
	}
}

// limiter says which lines are logged.
type limiter struct {
	pace    pace.Bucket
	dropped int
}

func newLimiter() limiter { return limiter{pace: pace.Bucket{Burst: lineBurst, Rate: lineRate}} }

func (l *limiter) allow(log *slog.Logger) bool {
	if !l.pace.Take(time.Now()) {
		l.dropped++
		return false
	}
	l.report(log)
	return true
}

func (l *limiter) report(log *slog.Logger) {
	if l.dropped > 0 {
		log.Warn("server wrote too many lines to stderr; some were not logged", "lines", l.dropped)
		l.dropped = 0
	}
}
