package session

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// read returns the next message of the process. An answer over the limit is replaced by an error;
// the rest of such messages are dropped. Every error is final.
func (w *Worker) read(r *run) (*message.Message, error) {
	for {
		m, err := r.pipes.Read()
		var large *message.TooLargeError
		switch {
		case errors.As(err, &large):
			e := m.Envelope()
			w.log.Warn("the server wrote a message over the limit", "kind", e.Kind().String(), "limit", large.Limit)
			if e.Kind() == message.Response {
				f := &Failure{Text: "the server's answer is too large: " + large.Error(), Reason: ReasonLarge, Hint: "raise runtime.max_message_bytes"}
				answer := f.Answer(e.ID())
				m.Free()
				return answer, nil
			}
			m.Free()
		case errors.Is(err, framing.ErrRunaway):
			r.ended.CompareAndSwap(nil, &Failure{Text: "the server wrote a message without end and was stopped", Reason: ReasonFlood})
			r.p.Kill()
			return nil, err
		case err != nil:
			return nil, err
		default:
			r.turn.done(true)
			return m, nil
		}
	}
}

func (w *Worker) noise(head []byte, size int64) {
	if w.said.allow(w.log) {
		w.log.Warn("the server wrote something to its stdout that is no message; skipped", "text", w.table.redact(string(head)), "bytes", size)
	}
}

// write writes m to the process, whole, when nobody else does. A process that does not read for
// stallTimeout is killed, since a part of a message cannot be taken back.
func (w *Worker) write(ctx context.Context, r *run, m *message.Message) error {
	select {
	case w.pen <- struct{}{}:
	case <-r.gone:
		return errRetired
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.pen }()
	stall := time.AfterFunc(stallTimeout, func() {
		r.ended.CompareAndSwap(nil, &Failure{
			Text: "the server did not read its stdin for " + stallTimeout.String() + " and was stopped", Reason: ReasonDeaf, Retryable: true,
		})
		r.p.Kill()
	})
	defer stall.Stop()
	if err := r.pipes.Write(m); err != nil {
		w.log.Debug("write to the server", "error", err)
		return errRetired
	}
	return nil
}

// speak writes what the reading goroutine has to say, which must not wait for its process to read.
func (w *Worker) speak(r *run) {
	for m := range w.outbox {
		w.write(context.Background(), r, m)
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
	w.write(ctx, r, m)
}

func cancelled(number int64, reason string) string {
	return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` +
		strconv.FormatInt(number, 10) + `,"reason":"` + reason + `"}}`
}

var errRetired = errors.New("the process takes no more calls")
