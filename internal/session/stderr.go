package session

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// Bounds of what a process may complain.
const (
	tailLines  = 10      // told to a client when the process dies
	lineBytes  = 8 << 10 // of a line that is logged; the rest of it is left out
	tailBytes  = 400     // of a line that is told
	lineBurst  = 200     // lines logged at once
	linePeriod = 20 * time.Millisecond
	drainTime  = 500 * time.Millisecond // for stderr to end after its process
)

// complaints drains a process's stderr: a log record a line, and the last lines at hand. It reads
// whatever comes, so that the process never blocks on it, but logs no more than it may.
type complaints struct {
	log    *slog.Logger
	redact func(string) string
	done   chan struct{}

	mu   sync.Mutex
	tail []string
	rec  *watch.Recorder // nil for none
}

func listen(p process.Process, log *slog.Logger, redact func(string) string) *complaints {
	c := &complaints{log: log, redact: redact, done: make(chan struct{})}
	if stderr, ok := p.(process.Complainer); ok {
		go c.drain(stderr.Stderr())
	} else {
		close(c.done)
	}
	return c
}

func (c *complaints) drain(r io.Reader) {
	defer close(c.done)
	lines := limiter{tokens: lineBurst, last: time.Now()}
	var partial []byte
	pr, _ := r.(interface {
		ReadPiece() (*message.Piece, int, error)
	})
	for {
		var piece *message.Piece
		var n int
		var err error
		if pr != nil {
			piece, n, err = pr.ReadPiece()
		} else {
			piece = message.NewPiece()
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
				c.line(partial, &lines)
				partial = partial[:0]
			}
			rest = after
		}
		if piece != nil {
			message.FreePiece(piece)
		}
		if err != nil {
			c.line(partial, &lines)
			lines.report(c.log)
			return
		}
	}
}

func (c *complaints) line(line []byte, lines *limiter) {
	line = bytes.TrimRight(line, "\r")
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	text := c.redact(string(bytes.ToValidUTF8(line, []byte("\uFFFD"))))
	c.mu.Lock()
	if len(c.tail) == tailLines {
		c.tail = append(c.tail[:0], c.tail[1:]...)
	}
	c.tail = append(c.tail, text[:min(len(text), tailBytes)])
	rec := c.rec
	c.mu.Unlock()
	rec.Stderr(text)
	if lines.allow(c.log) {
		c.log.Info("stderr", "line", text)
	}
}

// end waits until stderr has been read, though not long: a process that escaped may hold it.
func (c *complaints) end() {
	select {
	case <-c.done:
	case <-time.After(drainTime):
	}
}

// last returns the last lines.
func (c *complaints) last() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.tail...)
}

// limiter allows lineBurst lines at once and one a linePeriod.
type limiter struct {
	tokens  int
	last    time.Time
	dropped int
}

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
