package session

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/policy"
	"github.com/mcpfunc/mcpfunc/internal/stream"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// A Server says how the sessions of one server are run. It is not changed once it is in use.
type Server struct {
	*child.Spec
	admission.Limits
	OnLost    OnLost         // what becomes of a session whose process is gone for good
	Idle      time.Duration  // after which an idle session ends
	Hibernate time.Duration  // of idleness after which a session hibernates, if another process may take it over; zero for never
	MaxAge    time.Duration  // of a sealed id, after which it is good for nothing but a session that is here; zero for no limit
	Policy    *policy.Policy // what callers see and may use; nil for everything
	// Known returns what is known of the conversation that an initialize begins, or nil. It is nil itself
	// where nothing is known.
	Known func(initialize *message.Message) Talk
}

// anonymousIdle is Server.Idle, at most, of a session whose client asked for none.
const anonymousIdle = time.Minute

// ErrDuplicate says that a request with the same id is in flight in this session.
var ErrDuplicate = errors.New("a request with this id is in flight")

// A Session is one client's process, once it needs one, and what is said to and by it. Its methods may be called from
// any goroutine.
type Session struct {
	admission.Key     // that it was opened with
	Caller        any // that it was opened with
	server        *Server
	table         *Table
	log           *slog.Logger
	rec           *watch.Recorder // nil for none
	idle          time.Duration
	ctx           context.Context // until the session ends
	cancel        context.CancelFunc
	pid           atomic.Int64 // of the process; zero without a process, or if it has no number
	streams       *stream.Set
	known         *recollection // what the server is known to answer; nil for nothing
	alias         string        // by which the log knows it
	sealable      bool          // a client initializes it, so that its id may say all that it takes to do so again
	created       time.Time
	listings      atomic.Int64  // requests of ours for tools, so that each has an id of its own
	ends          time.Time     // as Opening has it
	hostLimit     time.Duration // as Opening has it
	started       atomic.Bool   // there has been a process
	initialized   atomic.Bool   // the process was told that the client is initialized, as far as ensureInitialized has to care

	sending atomic.Int64 // messages on their way to the process, or waiting for one

	mu           sync.Mutex
	launched     bool     // there is a process, or one is on its way, or it has ended
	owned        []func() // called at the end
	introduced   introduction
	sealed       string // the id that says all that it takes to take the session over; empty for none
	router       router
	handshake    handshake
	restarts     child.RestartBudget
	initializing chan struct{}   // closed when ensureInitialized has told it; nil until it begins
	proc         *link           // the process, when it accepts messages, or its substitute
	why          *child.Failure  // why the session has ended; nil until then
	changed      broadcast       // of proc and why
	clock        admission.Clock // of HTTP requests inside
}

func newSession(t *Table, key admission.Key, alias string, o Opening, h handshake, talk Talk, idle time.Duration) *Session {
	s := &Session{
		Key: key, Caller: o.Caller, alias: alias, server: o.Server, table: t, idle: idle, created: time.Now(), ends: o.Ends, hostLimit: o.HostLimit,
		sealable:  o.ID == "" && o.Version == "" && o.ticket == nil,
		log:       t.log.With("server", key.Server, "session", alias),
		handshake: h, restarts: child.NewRestartBudget(o.Server.Spec),
	}
	if o.ticket != nil {
		s.created = o.ticket.Created
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.streams = stream.NewSet(s.log)
	s.router = newRouter(s.streams)
	s.clock = admission.NewClock(&s.mu, s.onIdleTimerLocked)
	if s.launched = true; talk != nil {
		s.known = &recollection{Talk: talk, s: s}
		s.known.opening.Store(o.Initialize != nil)
		s.launched = !talk.Serves()
	}
	if !s.launched {
		s.proc = &link{s: s}
	}
	return s
}

// Enter says that an HTTP request is inside, which keeps the session from idling out. It reports
// false if the session has ended; otherwise Leave must follow.
func (s *Session) Enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return false
	}
	s.clock.EnterLocked()
	return true
}

// Leave says that the HTTP request is done. The idle clock starts when the last one has left.
func (s *Session) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch last := s.clock.LeaveLocked(); {
	case last && s.why != nil:
		s.streams.Release() // there are no readers any more
	case last:
		s.clock.ArmLocked(s.server.nextCheck(s.idle, 0, s.sealed != ""))
	}
}

// Idle reports since when the session has been idle, if it is, and whether it works on a
// request all the same.
func (s *Session) Idle() (since time.Time, idle, working bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	since, idle = s.clock.IdleLocked()
	return since, idle && s.why == nil, len(s.router.pending) > 0
}

// Evict ends the session to make room. It may go on with another process, here or elsewhere.
func (s *Session) Evict() {
	f := &child.Failure{Text: "it was evicted for a newer one: it had been idle the longest", Reason: child.ReasonClosed, Retryable: true}
	if s.finish(f, func() bool { return true }) {
		s.table.count.evicted.Add(1)
	}
}

// PID is the number of its process, or 0 without a process or after the session's end.
func (s *Session) PID() int {
	if !s.Alive() {
		return 0
	}
	return int(s.pid.Load())
}

// OutOfMemory ends the session because its process uses this many bytes.
func (s *Session) OutOfMemory(used int64) { s.end(child.OutOfMemory(used)) }

// Alive reports whether the session has not ended.
func (s *Session) Alive() bool {
	_, _, why := s.state()
	return why == nil
}

// Protocol is the protocol version that the process negotiated, or "" before it has.
func (s *Session) Protocol() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handshake.version
}

// A ReplyMode is how the answers to a POST may come.
type ReplyMode int

// The modes.
const (
	OnStream    ReplyMode = iota // on the POST's own stream, with what belongs to them
	AnswersOnly                  // on the POST's own stream, which takes nothing but the answers
	OnListener                   // on the standalone stream (2024-11-05, HTTP with SSE)
)

// Send passes the messages of one POST to the process, which it takes over, and returns a reader of
// the stream that the answers will come on; nil if none of them wants an answer there. A ctx of
// child.Until ends calls with an answer, when its time comes.
//
// It fails with ErrDuplicate, an *admission.BusyError, a *child.Failure, or ctx's error; then no answer will come. of are the calls that
// messages are, by their place, where someone hears of calls; unless it fails, the session says how they end.
func (s *Session) Send(ctx context.Context, messages []*message.Message, mode ReplyMode, of ...*calls.Call) (*stream.Reader, error) {
	defer func() {
		for _, m := range messages {
			m.Free()
		}
	}()
	n := int64(len(messages))
	defer s.sending.Add(-n)
	if s.sending.Add(n) > maxInFlight {
		return nil, errBusy
	}
	noteAsked(s, messages)
	for {
		l, err := s.ready(ctx, messages)
		if err != nil {
			return nil, err
		}
		if l.known() {
			if reader, ok, err := l.tell(ctx, messages, mode, of); ok || err != nil {
				return reader, err
			}
			continue
		}
		reader, requests, ok, err := l.register(ctx, messages, mode, of)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue // another process has taken its place
		}
		if err := l.send(ctx, messages, requests, of); err != nil {
			return nil, err
		}
		return reader, nil
	}
}

// Listen returns a reader of the standalone stream, beginning with the first message that no client has received.
// The newest listener is served; older ones wait until it leaves.
func (s *Session) Listen() *stream.Reader { return s.streams.Listen() }

// Resume returns a reader of the stream that gave out this event id, as stream.Set.Resume does.
func (s *Session) Resume(e stream.EventID) (*stream.Reader, error) { return s.streams.Resume(e) }

// ready returns the process once it accepts messages, or its substitute if that can answer messages.
// It waits for a start as long as a start may take.
func (s *Session) ready(ctx context.Context, messages []*message.Message) (*link, error) {
	switch l, _, err := s.state(); {
	case err != nil || l != nil && l.takes(messages):
		return l, err
	case l != nil:
		if err := s.table.wake(s); err != nil {
			return nil, err
		}
	}
	late, cancel := context.WithTimeout(ctx, s.server.StartTimeout)
	defer cancel()
	l, err := s.awaitLink(late)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = s.table.firstStarts.stillStarting(s)
	}
	return l, err
}

// Ready reports whether Send of messages will not have to wait for a process: there is one that can be talked
// to, they need none, or there will be none.
func (s *Session) Ready(messages []*message.Message) bool {
	l, _, err := s.state()
	return l != nil && l.takes(messages) || err != nil
}

// awaitLink returns the process once it can be talked to. It fails with why the session has ended, or
// the cause of ctx's end.
func (s *Session) awaitLink(ctx context.Context) (*link, error) {
	for {
		l, changed, err := s.state()
		if l != nil || err != nil {
			return l, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// state returns the process that can be talked to, or why there will be none, or what is closed when
// there is another state.
func (s *Session) state() (l *link, changed <-chan struct{}, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return nil, nil, s.why
	}
	return s.proc, s.changed.wait(), nil
}

// A broadcast wakes every goroutine that waits for a change. Its owner's lock guards it.
type broadcast struct{ ch chan struct{} }

// wait returns what is closed at the next change.
func (b *broadcast) wait() <-chan struct{} {
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) notify() {
	if b.ch != nil {
		close(b.ch)
	}
	b.ch = nil
}

// supervise starts the process, passes on what it says, and starts it again when it dies and may
// be. It returns when the process is gone for good.
func (s *Session) supervise() {
	for {
		c, err := s.table.starter.Start(s.ctx, s.server.Spec, s.Caller, s.log, s.rec)
		if err != nil {
			f := s.table.starter.StartFailure(s.Caller, err)
			s.known.doubt(f, nil)
			s.end(f)
			return
		}
		s.pid.Store(int64(c.PID()))
		l := &link{Child: c, s: s, inventory: s.server.Policy.NewInventory()}
		s.started.Store(true)
		f := c.Run(l.serve)
		s.table.firstStarts.note(l, f)
		s.pid.Store(0)
		if !l.attached {
			s.known.doubt(f, nil)
		}
		s.setProc(nil)
		if s.ctx.Err() != nil || !l.maybeRestart(f) {
			return
		}
	}
}
