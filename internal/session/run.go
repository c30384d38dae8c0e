package session

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// A run is one life of a process, whether of a session or of a pool. One goroutine reads; any may
// write.
type run struct {
	p      process.Process
	pipes  *framing.Stream
	stderr *complaints
	log    *slog.Logger
	redact func(string) string
	turn   *turn           // to start; given on at its first message, at its end, or when it is late
	late   *time.Timer     // which gives it on; nil for none
	rec    *watch.Recorder // nil for none

	answered chan struct{} // closed at its first message
	said     bool          // answered is closed; of the reader
	heard    limiter       // of noise that is logged; of the reader

	pen   chan struct{} // held by who writes; capacity 1
	stall stall         // kills a process that does not read

	gone  chan struct{}           // closed when the process has been waited for
	exit  error                   // of that wait; set before gone is closed
	ended atomic.Pointer[Failure] // why we ended it, if we did
}

// errGone says that a process does not take what is written to it.
var errGone = errors.New("the process is gone")

// start starts a process of server for caller when it is its turn, or takes one that was started
// ahead.
func (t *Table) start(ctx context.Context, server *Server, caller any, log *slog.Logger) (r *run, err error) {
	apart(func() { r, err = t.launch(ctx, server, caller, log) })
	return r, err
}

func (t *Table) launch(ctx context.Context, server *Server, caller any, log *slog.Logger) (*run, error) {
	r := &run{
		log: log, redact: t.redact, turn: new(turn), heard: limiter{tokens: lineBurst, last: time.Now()},
		answered: make(chan struct{}), pen: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	r.stall.made, r.stall.late = time.Now(), r.stalled
	if ahead := t.sparesOf(server).take(); ahead != nil {
		r.p, r.stderr = ahead.p, ahead.stderr
	} else {
		turn, err := t.starts.wait(ctx, server.Runner)
		if err != nil {
			return nil, err
		}
		if r.p, err = server.Launch(ctx, caller); err != nil {
			turn.done(false)
			return nil, err
		}
		r.late = time.AfterFunc(max(server.StartTimeout, t.starts.patience(server.Runner)), func() { turn.done(false) })
		r.turn, r.stderr = turn, listen(r.p, log, t.redact)
	}
	r.pipes = framing.New(r.p, r.p, server.Framing, server.MaxMessage, t.limits.Budget, r.hear)
	log.Info("server started", "pid", r.pid())
	return r, nil
}

// started gives on the turn: the process has answered (ok), or is gone.
func (r *run) started(ok bool) {
	if r.late != nil {
		r.late.Stop()
	}
	r.turn.done(ok)
}

// pid is the number of the process, or 0 if it has none.
func (r *run) pid() int {
	if c, ok := r.p.(interface{ PID() int }); ok {
		return c.PID()
	}
	return 0
}

// noiseBytes is how much of what is no message is logged.
const noiseBytes = 256

// hear reports what the process wrote to its stdout that is no message. It is logged and skipped: a
// print statement that was left in a server must not end a session.
func (r *run) hear(head []byte, size int64) {
	if r.heard.allow(r.log) {
		r.log.Warn("the server wrote something to its stdout that is no message; skipped", "text", r.redact(string(head)), "bytes", size)
	}
}

// read returns the next message of the process. An answer over the limit is replaced by an error;
// the rest of such messages are dropped. Every error is final.
func (r *run) read() (*message.Message, error) {
	for {
		m, err := r.pipes.Read()
		if err == nil {
			if !r.said {
				r.said = true
				close(r.answered)
				r.started(true)
			}
			r.rec.Received(m)
			return m, nil
		}
		var large *message.TooLargeError
		switch {
		case errors.As(err, &large):
			e := m.Envelope()
			r.log.Warn("the server wrote a message over the limit", "kind", e.Kind().String(), "limit", large.Limit)
			if e.Kind() == message.Response {
				f := &Failure{Text: "the server's answer is too large: " + large.Error(), Reason: ReasonLarge, Hint: "raise runtime.max_message_bytes"}
				answer := f.Answer(e.ID())
				m.Free()
				return answer, nil
			}
			m.Free()
		case errors.Is(err, framing.ErrRunaway):
			r.kill(&Failure{Text: "the server wrote a message without end and was stopped", Reason: ReasonFlood})
			return nil, err
		default:
			return nil, err
		}
	}
}

// write writes m to the process, whole, when nobody else does. It fails with errGone, or with ctx's
// error before it has begun. A process that does not read for stallTimeout is killed, since a part
// of a message cannot be taken back.
func (r *run) write(ctx context.Context, m *message.Message) error {
	select {
	case r.pen <- struct{}{}:
	default:
		select {
		case r.pen <- struct{}{}:
		case <-r.gone:
			return errGone
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-r.pen }()
	r.stall.begin()
	r.rec.Sent(m) // before the answer to it can be received
	err := r.pipes.Write(m)
	r.stall.end()
	if err != nil {
		r.log.Debug("write to the server", "error", err)
		return errGone
	}
	return nil
}

// stalled is called when a write has waited for too long.
func (r *run) stalled() {
	r.kill(&Failure{
		Text: "the server did not read its stdin for " + stallTimeout.String() + " and was stopped", Reason: ReasonDeaf, Retryable: true,
	})
}

// deafened is called when the process did not take what was written to it. Most likely it is dying;
// one that only closed its stdin is ended, for it will never answer.
func (r *run) deafened(ctx context.Context) {
	select {
	case <-r.gone:
	case <-ctx.Done():
	case <-time.After(time.Second):
		r.kill(&Failure{Text: "the server closed its stdin and was stopped", Reason: ReasonDeaf, Retryable: true})
	}
}

// kill ends the process, and says why unless that has been said.
func (r *run) kill(why *Failure) {
	r.ended.CompareAndSwap(nil, why)
	r.p.Kill()
}

// await waits for the process after it has said its last. One that only closed its stdout is ended,
// unless ctx has ended: then it is on the ladder.
func (r *run) await(ctx context.Context) {
	go func() {
		r.exit = r.p.Wait()
		close(r.gone)
	}()
	late := time.NewTimer(time.Second)
	defer late.Stop()
	select {
	case <-r.gone:
	case <-ctx.Done():
		<-r.gone
	case <-late.C:
		r.kill(&Failure{Text: "the server closed its stdout and was stopped", Reason: ReasonExited, Retryable: true})
		<-r.gone
	}
	r.stall.stop()
	r.started(false)
	r.stderr.end()
	if r.rec != nil {
		r.rec.Exited(r.failure().Text)
	}
}
