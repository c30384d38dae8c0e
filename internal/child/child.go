package child

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/secret"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// A Child is one process of a server, from its start to its end. One goroutine reads; any may call the
// other methods.
type Child struct {
	*running
	ctx     context.Context // until the process has to end
	grace   time.Duration
	pipes   *framing.Stream
	log     *slog.Logger
	secrets *secret.Redactor
	slot    *startSlot            // released at its first message, at its end, or when it is late
	late    *time.Timer           // which releases it; nil for none
	timed   func(since time.Time) // is told of its first message, and when it was started; nil for none
	rec     *watch.Recorder       // nil for none

	answered chan struct{} // closed at its first message
	onAnswer func()        // called then; nil for nothing
	spoke    bool          // answered is closed; of the reader
	noise    limiter       // of what is logged that is not a message; of the reader
	skipped  skipped       // before its first message

	queue queue // of what is to be written
	stall stall // kills a process that does not read

	killed atomic.Pointer[Failure] // why we ended it, if we did

	stopped atomic.Bool // it was there when the context of its start ended
}

// A running process, with what it writes to its stderr.
type running struct {
	p      process.Process
	stderr *stderrTail
	once   sync.Once     // of the wait for its end
	gone   chan struct{} // closed after that
	exit   error         // of it; set before gone is closed
}

func newRunning(p process.Process, log *slog.Logger, secrets *secret.Redactor) *running {
	return &running{p: p, stderr: tailOf(p, log, secrets), gone: make(chan struct{})}
}

// await begins to wait for the end of the process, unless that was begun.
func (r *running) await() {
	r.once.Do(func() {
		go func() {
			r.exit = r.p.Wait()
			close(r.gone)
		}()
	})
}

// Run calls serve, which reads until Read fails, and returns once the process is gone: by itself, or
// down the ladder of process.Stop since the context of its start has ended. It says how it ended.
func (c *Child) Run(serve func()) *Failure {
	stopped := make(chan struct{})
	unless := context.AfterFunc(c.ctx, func() {
		defer close(stopped)
		select {
		case <-c.gone: // by itself
			return
		default:
			c.stopped.Store(true)
		}
		process.Stop(c.p, c.gone, c.grace)
	})
	serve()
	c.wait()
	if !unless() {
		<-stopped
	}
	return c.failure()
}

// wait waits for the process after it has said its last. One that only closed its stdout is ended,
// unless it is on the ladder already.
func (c *Child) wait() {
	c.await()
	late := time.NewTimer(time.Second)
	defer late.Stop()
	select {
	case <-c.gone:
	case <-c.ctx.Done():
		<-c.gone
	case <-late.C:
		c.Kill(&Failure{Text: "the server closed its stdout and was stopped", Reason: ReasonExited, Retryable: true})
		<-c.gone
	}
	c.stall.stop()
	c.releaseSlot(false)
	c.stderr.end()
	if c.rec != nil {
		c.rec.Exited(c.failure().Text)
	}
}

// releaseSlot lets another process start: this one has answered (ok), or is gone.
func (c *Child) releaseSlot(ok bool) {
	if c.late != nil {
		c.late.Stop()
	}
	c.slot.release(ok)
}

// PID is the number of the process, or 0 if it has none.
func (c *Child) PID() int {
	if p, ok := c.p.(interface{ PID() int }); ok {
		return p.PID()
	}
	return 0
}

// Answered is closed at the first message of the process.
func (c *Child) Answered() <-chan struct{} { return c.answered }

// Gone is closed when the process is.
func (c *Child) Gone() <-chan struct{} { return c.gone }

// Stopped reports whether the process was ended because the context of its start was.
func (c *Child) Stopped() bool { return c.stopped.Load() }

// Stderr returns the last lines that the process wrote to its stderr, redacted.
func (c *Child) Stderr() []string { return c.stderr.lines() }

// Kill ends the process at once, and says why unless that has been said.
func (c *Child) Kill(why *Failure) {
	c.killed.CompareAndSwap(nil, why)
	c.p.Kill()
}

// KillAfter kills the process when it has not answered method within limit, unless stop is called
// before.
func (c *Child) KillAfter(limit time.Duration, method string) (stop func() bool) {
	return time.AfterFunc(limit, func() { c.Kill(c.Unanswered(method, limit)) }).Stop
}

// Unanswered is the failure of a process that has not answered method within limit.
func (c *Child) Unanswered(method string, limit time.Duration) *Failure {
	f := &Failure{
		Text: "the server did not answer " + method + " within " + limit.String(), Reason: ReasonTimeout, Retryable: true,
		Hint: "raise timeout_seconds",
	}
	c.skipped.explain(f)
	return f
}

// Skip frees m, which is not a message for anyone, and logs its beginning.
func (c *Child) Skip(m *message.Message) {
	c.logNoise(m.Head(noiseBytes), int64(m.Len()))
	m.Free()
}

// Read returns the next message of the process. An answer over the limit is replaced by an error;
// the rest of such messages are dropped. Every error is final.
func (c *Child) Read() (*message.Message, error) {
	for {
		m, err := c.pipes.Read()
		if err == nil {
			c.speaks()
			c.rec.Received(m)
			return m, nil
		}
		var large *message.TooLargeError
		var broken *framing.BrokenError
		var f *Failure
		switch {
		case errors.As(err, &broken):
			c.speaks()
			return c.brokenAnswer(broken), nil
		case errors.As(err, &large):
			f = &Failure{Text: "the server's answer is too large: " + err.Error(), Reason: ReasonLarge, Hint: "raise runtime.max_message_bytes"}
		case errors.Is(err, message.ErrNoMemory):
			f = &Failure{Text: "no memory for the server's answer: " + err.Error(), Reason: ReasonNoRoom, Retryable: true}
		case errors.Is(err, framing.ErrRunaway):
			c.Kill(&Failure{Text: "the server wrote an endless message and was stopped", Reason: ReasonFlood})
			return nil, err
		default:
			return nil, err
		}
		if answer := c.dropped(m, f, err); answer != nil {
			return answer, nil
		}
	}
}

// dropped frees m, of which no more than its beginning was read. If it is an answer, it returns f in its place.
func (c *Child) dropped(m *message.Message, f *Failure, why error) *message.Message {
	defer m.Free()
	e := m.Envelope()
	c.log.Warn("server message dropped", "kind", e.Kind().String(), "why", why)
	if e.Kind() != message.Response {
		return nil
	}
	return f.Answer(e.ID())
}

// speaks notes that the process has answered.
func (c *Child) speaks() {
	if !c.spoke {
		c.spoke = true
		close(c.answered)
		c.releaseSlot(true)
		if c.timed != nil {
			c.timed(c.stall.made)
		}
		if c.onAnswer != nil {
			c.onAnswer()
		}
	}
}

// Ask writes a request of ours, whose id must be no other's, and returns its answer. It is for the
// goroutine that reads; what else comes in between goes to other, which takes it over.
func (c *Child) Ask(request *message.Message, other func(*message.Message)) (*message.Message, error) {
	if err := c.Write(context.Background(), request); err != nil {
		return nil, err
	}
	id := message.Key(request.Envelope().ID())
	for {
		m, err := c.Read()
		if err != nil {
			return nil, err
		}
		if m.Kind() == message.Response && answers(m.Envelope().ID(), id) {
			return m, nil
		}
		other(m)
	}
}

// answers reports whether the id of an answer is the one under this key, however the process writes it.
func answers(id []byte, key string) bool {
	if message.Key(id) == key {
		return true
	}
	_, ok := message.Nearest(id, func(yield func(string) bool) { yield(key) })
	return ok
}
