package session

import (
	"context"
	"strconv"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// speak writes what the reading goroutine has to say, which must not wait for its process to read.
func (w *Worker) speak(r *run) {
	for m := range w.outbox {
		r.write(context.Background(), m)
		m.Free()
	}
}

// say queues one of our own messages. Too many of them are dropped: only a server that breaks the
// rules needs them.
func (w *Worker) say(text string) {
	m, err := message.Parse([]byte(text))
	if err != nil {
		return // not reached: what is put into it was scanned
	}
	select {
	case w.outbox <- m:
	default:
		m.Free()
	}
}

// tellCancelled asks the process to stop working on a call. It waits until that is written.
func (w *Worker) tellCancelled(number int64, reason string) {
	w.mu.Lock()
	r := w.run
	w.mu.Unlock()
	m, err := message.Parse([]byte(cancelled(number, reason)))
	if err != nil || r == nil {
		return // not reached
	}
	defer m.Free()
	ctx, cancel := context.WithTimeout(context.Background(), stallTimeout)
	defer cancel()
	r.write(ctx, m)
}

func cancelled(number int64, reason string) string {
	return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` +
		strconv.FormatInt(number, 10) + `,"reason":"` + reason + `"}}`
}
