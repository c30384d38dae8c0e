package child

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Bounds of what is written at once. One message may be larger.
const (
	togetherMessages = 32
	togetherBytes    = bufpool.Size
)

// errTurn says that it is the turn of who hears it.
var errTurn = errors.New("it is your turn to write")

// A queue is the messages that wait to be written to one process, in order. A caller that comes while no other writes has
// the turn: it writes its own message and, at once, those that wait by then, and passes the turn on. A write
// costs a system call and wakes the process, however much is written.
type queue struct {
	mu      sync.Mutex
	writing bool       // someone has the turn
	waiting []*waiting // for a turn, or for the caller that has it to write their messages as well
	spare   []*waiting // to be used again

	// Of the caller that has the turn.
	messages []*message.Message
	others   []*waiting // whose messages are among them
}

// A waiting is a caller that waits with a message.
type waiting struct {
	m    *message.Message
	told chan error  // that m was written, or why not, or errTurn; capacity 1
	late *time.Timer // its own, stopped
}

// join returns nil if it is the caller's turn; otherwise await must follow.
func (q *queue) join(m *message.Message) *waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.writing {
		q.writing = true
		return nil
	}
	var w *waiting
	if n := len(q.spare); n > 0 {
		w, q.spare = q.spare[n-1], q.spare[:n-1]
	} else {
		w = &waiting{told: make(chan error, 1), late: time.NewTimer(time.Hour)}
		w.late.Stop()
	}
	w.m = m
	q.waiting = append(q.waiting, w)
	return w
}

// await returns what becomes of the message of w. It gives up with ctx, or when gone is closed, unless someone is
// writing the message.
func (q *queue) await(ctx context.Context, gone <-chan struct{}, w *waiting) (err error) {
	done, at := ends(ctx)
	var late <-chan time.Time
	if !at.IsZero() {
		w.late.Reset(time.Until(at))
		late = w.late.C
	}
	select {
	case err = <-w.told:
	case <-gone:
		err = q.leave(w, errGone)
	case <-done:
		err = q.leave(w, ctx.Err())
	case <-late:
		err = q.leave(w, ctx.Err())
	}
	w.late.Stop() // before it is another caller's
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.m = nil; len(q.spare) < togetherMessages {
		q.spare = append(q.spare, w)
	}
	return err
}

// leave takes w out, and returns why, unless its message is being written.
func (q *queue) leave(w *waiting, why error) error {
	if q.remove(w) {
		return why
	}
	err := <-w.told
	if err == errTurn {
		q.pass()
		return why
	}
	return err
}

func (q *queue) remove(w *waiting) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, w)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// take returns what the caller that has the turn must write: its own message m, and those of others, in order. end must follow.
func (q *queue) take(m *message.Message) []*message.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages = append(q.messages, m)
	size := m.Len()
	for _, w := range q.waiting {
		if size += w.m.Len(); size > togetherBytes || len(q.messages) == togetherMessages {
			break
		}
		q.messages, q.others = append(q.messages, w.m), append(q.others, w)
	}
	q.waiting = slices.Delete(q.waiting, 0, len(q.others))
	return q.messages
}

// end says what became of what take has returned, and passes the turn on.
func (q *queue) end(err error) {
	for _, w := range q.others {
		w.told <- err
	}
	clear(q.messages)
	clear(q.others)
	q.messages, q.others = q.messages[:0], q.others[:0]
	q.pass()
}

// pass gives the turn to the caller that has waited longest, if one waits.
func (q *queue) pass() {
	if next := q.next(); next != nil {
		next.told <- errTurn
	}
}

func (q *queue) next() (w *waiting) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.writing = false
		return nil
	}
	w = q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	return w
}
