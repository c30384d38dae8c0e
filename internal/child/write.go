package child

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// errGone says that a process does not take what is written to it.
var errGone = errors.New("the process has ended")

// Write writes m to the process, whole, and in the order in which it was called. It fails with a *Failure when the process
// does not take it, or with ctx's error before it has begun. A process that does not read for
// stallTimeout is killed, since a part of a message cannot be taken back.
func (c *Child) Write(ctx context.Context, m *message.Message) error {
	err := c.write(ctx, m)
	if !errors.Is(err, errGone) {
		return err
	}
	// Most likely it is dying; one that only closed its stdin is ended, for it will never answer.
	select {
	case <-c.gone:
	case <-c.ctx.Done():
	case <-time.After(time.Second):
		c.Kill(&Failure{Text: "the server closed its stdin and was stopped", Reason: ReasonDeaf, Retryable: true})
	}
	if f := c.killed.Load(); f != nil {
		return f
	}
	return &Failure{Text: "the server has ended", Reason: ReasonExited, Retryable: true}
}

func (c *Child) write(ctx context.Context, m *message.Message) error {
	if w := c.queue.join(m); w == nil {
		runtime.Gosched() // callers that are about to write can join: see queue
	} else if err := c.queue.await(ctx, c.gone, w); err != errTurn {
		return err
	}
	messages := c.queue.take(m)
	c.stall.begin()
	for _, m := range messages {
		c.rec.Sent(m) // before the answer to it can be received
	}
	err := c.pipes.Write(messages...)
	c.stall.end()
	if err != nil {
		c.log.Debug("write to the server", "error", err)
		err = errGone
	}
	c.queue.end(err)
	return err
}

// stalled is called when a write has waited for too long.
func (c *Child) stalled() {
	c.Kill(&Failure{
		Text: "the server did not read its stdin for " + stallTimeout.String() + " and was stopped", Reason: ReasonDeaf, Retryable: true,
	})
}

// CancelGrace is how long a request that was cancelled may still be answered, or spoken of.
const CancelGrace = 2 * time.Second

// Cancel asks the process to stop working on the request with this id, as JSON. It waits until that is
// written, though not for long: it is a courtesy.
func (c *Child) Cancel(id, reason string) {
	m := message.Must([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` +
		id + `,"reason":"` + reason + `"}}`))
	defer m.Free()
	ctx, cancel := context.WithTimeout(context.Background(), stallTimeout)
	defer cancel()
	c.Write(ctx, m)
}
