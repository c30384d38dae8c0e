package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"
)

// heard counts the progress and log messages that have come, and those of them that were shown.
type heard struct {
	mu      sync.Mutex
	behind  int           // came, and not shown yet
	settled chan struct{} // closed when nothing is behind; nil without a goroutine that waits
}

// settleTime is how long an answer waits for messages that the SDK does not pass on.
const settleTime = time.Second

func (h *heard) came() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.behind++
}

func (h *heard) shown() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left(h.behind - 1)
}

// left says how many are behind. mu is held.
func (h *heard) left(n int) {
	if h.behind = max(0, n); h.behind == 0 && h.settled != nil {
		close(h.settled)
		h.settled = nil
	}
}

// settle waits until all that has come is shown.
func (h *heard) settle(ctx context.Context) {
	h.mu.Lock()
	if h.behind == 0 {
		h.mu.Unlock()
		return
	}
	if h.settled == nil {
		h.settled = make(chan struct{})
	}
	settled := h.settled
	h.mu.Unlock()
	late := time.NewTimer(settleTime)
	defer late.Stop()
	select {
	case <-settled:
	case <-late.C: // they will not come
		h.mu.Lock()
		h.left(0)
		h.mu.Unlock()
	case <-ctx.Done():
	}
}

// maxHeard is how long a line of a stream may be to be looked at. Progress and log messages are short.
const maxHeard = 1 << 20

// A listener is the body of an event stream, of which it counts the messages that a client shows.
type listener struct {
	io.ReadCloser
	heard *heard
	line  []byte
}

func (l *listener) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		part, after, whole := bytes.Cut(rest, []byte{'\n'})
		l.line = append(l.line, part[:min(len(part), maxHeard-len(l.line))]...)
		if whole {
			l.look()
			l.line = l.line[:0]
		}
		rest = after
	}
	return n, err
}

// look counts the message of a line, if it has one.
func (l *listener) look() {
	data, ok := bytes.CutPrefix(l.line, []byte("data:"))
	if !ok || !bytes.Contains(data, []byte(`"method"`)) {
		return
	}
	var m struct {
		Method string `json:"method"`
	}
	if json.Unmarshal(data, &m) == nil && (m.Method == "notifications/progress" || m.Method == "notifications/message") {
		l.heard.came()
	}
}
