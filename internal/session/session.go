package session

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
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// A Server says how the sessions of one server are run. It is not changed once it is in use.
type Server struct {
	Name    string
	Framing framing.Mode
	// Launch starts a process for caller, the value that Open was given, or for nobody yet: nil.
	Launch func(ctx context.Context, caller any) (process.Process, error)
	// Runner is a key of what is to run if a first start may take long, because a package runner
	// downloads it then; otherwise empty.
	Runner string

	MaxMessage   int64         // bytes of one message of the process
	StartTimeout time.Duration // to the first answer
	CallTimeout  time.Duration // of one request; zero for none
	Grace        time.Duration // per rung of the ladder
	Restart      bool
	MaxRestarts  int // within restartWindow

	OnLost OnLost        // what becomes of a session whose process is gone for good
	MaxAge time.Duration // of a sealed id, after which it is good for nothing but a session that is here; zero for no limit

	Era      Era
	Identity string // of what is run, with its environment: what its era is remembered by; empty for Name
	Shared   int    // processes that the requests of one caller share in the modern era; zero for 4

	Prewarm         int // processes started ahead
	Idle            time.Duration
	Hibernate       time.Duration // of idleness after which a session sleeps, if another process may take it over; zero for never
	Max             int           // sessions; zero for no limit of its own
	MaxPerPrincipal int
}

const (
	restartWindow = 10 * time.Minute
	anonymousIdle = time.Minute      // of a session whose client asked for none
	runnerTimeout = 10 * time.Minute // how long a first download may go on after its caller gave up
	cancelGrace   = 2 * time.Second  // how long a cancelled request may still be answered
	stallTimeout  = 15 * time.Second // of a write that the process does not read, or a client that does not
)

// ErrDuplicate says that a request with the same id is in flight in this session.
var ErrDuplicate = errors.New("a request with this id is in flight")

// A Session is one client's process and what is said to and by it. Its methods may be called from
// any goroutine.
type Session struct {
	Key        // that it was opened with
	known  Key // that the table finds it by; guarded by the table's mu and by mu: who has either may read it
	server *Server
	caller any
	table  *Table
	log    *slog.Logger
	rec    *watch.Recorder // nil for none
	idle   time.Duration
	ctx    context.Context // until the session ends
	cancel context.CancelFunc
	pid    atomic.Int64 // of the process; zero while there is none, or it has no number

	greeted  atomic.Bool   // the process was told that the client is initialized, as far as greet has to care
	greeting chan struct{} // closed when greet has told it; nil while it has not begun; guarded by mu
	sealable bool          // a client initializes it, so that its id may say all that it takes to do so again
	created  time.Time
	life     string // by which event ids of this table are told from those of another

	mu         sync.Mutex
	x          exchange
	events     eventLog
	streams    map[int]*Stream // those with ids that clients know
	standalone *Stream
	lastStream int
	shake      handshake
	now        *run          // the process, when it can be talked to
	changed    chan struct{} // closed and replaced when now or why changes
	why        *Failure      // why the session has ended; nil while it has not
	active     int           // HTTP requests inside
	left       time.Time     // when active became 0
	clock      *time.Timer   // of the idle end; nil while it is not set
	crashes    []time.Time   // within restartWindow
}

func newSession(t *Table, key Key, server *Server, caller any, shake handshake, idle time.Duration) *Session {
	alias := t.alias(key)
	s := &Session{
		Key: key, known: key, created: time.Now(), life: newLife(), server: server, caller: caller, table: t, idle: idle, shake: shake,
		log: t.log.With("server", key.Server, "session", alias), rec: t.limits.Watch.Open(key.Server, alias, false),
		x: newExchange(), streams: map[int]*Stream{}, changed: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.standalone = &Stream{s: s, first: 1, keep: true}
	s.streams[0] = s.standalone
	return s
}

// A Renewer is a caller that hears of the later requests of its session, which may bring newer
// credentials.
type Renewer interface{ Renew(later any) }

// Caller returns the value that the session was opened with.
func (s *Session) Caller() any { return s.caller }

// Renew tells the session's caller of a later request of the same principal.
func (s *Session) Renew(later any) {
	if r, ok := s.caller.(Renewer); ok && later != s.caller {
		r.Renew(later)
	}
}

// Enter says that an HTTP request is inside, which keeps the session from idling out. It reports
// false if the session has ended; otherwise Leave must follow.
func (s *Session) Enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return false
	}
	s.active++
	return true
}

// Leave says that the HTTP request is done. The idle clock starts when the last one has left.
func (s *Session) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active--; s.active > 0 {
		return
	}
	if s.why != nil {
		s.release()
		return
	}
	s.left = time.Now()
	if s.clock == nil {
		s.look()
	}
}

// idleSince reports since when nobody has used the session, if nobody does, and whether it works on a
// request all the same.
func (s *Session) idleSince() (left time.Time, idle, works bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left, s.active == 0 && s.why == nil, len(s.x.slips) > 0
}

// Alive reports whether the session has not ended.
func (s *Session) Alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why == nil
}

// Protocol is the protocol version that the process negotiated, or "" before it has.
func (s *Session) Protocol() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shake.version
}

// A Way is how the answers to a POST may come.
type Way int

// The ways.
const (
	ByStream   Way = iota // on the POST's own stream, with what belongs to them
	ByAnswer              // on the POST's own stream, which takes nothing but the answers
	ByListener            // on the standalone stream (2024-11-05, HTTP with SSE)
)

// Send passes the messages of one POST to the process, which it takes over, and returns a reader of
// the stream that the answers will come on; nil if none of them wants an answer there.
//
// It fails with ErrDuplicate, a *Failure, or ctx's error; then no answer will come.
func (s *Session) Send(ctx context.Context, messages []*message.Message, way Way) (*Reader, error) {
	defer func() {
		for _, m := range messages {
			m.Free()
		}
	}()
	var reader *Reader
	var slips []*slip
	var proc *run
	for ok := false; !ok; {
		var err error
		if proc, err = s.running(ctx); err != nil {
			return nil, err
		}
		if reader, slips, ok, err = s.register(proc, messages, way); err != nil {
			return nil, err
		}
	}
	for _, m := range messages {
		if !s.inspect(m) {
			continue
		}
		err := s.greet(proc, m)
		if err == nil {
			err = s.write(ctx, proc, m)
		}
		switch {
		case err == nil:
			s.afterwards(m)
		case ctx.Err() != nil:
			s.withdraw(slips)
			return nil, ctx.Err()
		case len(slips) > 0:
			return reader, nil // the process is dying; its end answers all slips, with the reason
		default:
			return nil, err
		}
	}
	return reader, nil
}

// register makes a stream with a slip for every request among messages. It is not ok if proc is no
// longer the process: who is registered with one is answered at its end, and never later.
func (s *Session) register(proc *run, messages []*message.Message, way Way) (reader *Reader, slips []*slip, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return nil, nil, false, s.why
	}
	if s.now != proc {
		return nil, nil, false, nil
	}
	p, made := newPost(s), 0
	st := &p.stream
	if way == ByListener {
		st = s.standalone
	} else {
		st.plain = way == ByAnswer
	}
	slips = p.slips[:0]
	for _, m := range messages {
		if m.Kind() != message.Request {
			continue
		}
		sl := &p.slip
		if made++; made > 1 { // a batch
			sl = new(slip)
		}
		sl.fill(st, m.Envelope())
		if !s.x.add(sl) {
			for _, earlier := range slips {
				s.x.remove(earlier)
			}
			return nil, nil, false, ErrDuplicate
		}
		s.prepare(sl, m)
		slips = append(slips, sl)
	}
	if len(slips) == 0 || way == ByListener {
		return nil, slips, true, nil
	}
	if len(slips) == 1 {
		st.request = slips[0].id
	}
	s.lastStream++
	st.number = s.lastStream
	st.reader = p.reader.of(st, 1)
	return st.reader, slips, true, nil
}

// inspect reports whether m, a message of the client, goes to the process. An answer does if the
// process that runs now asked for it: one that was started since may have used the same id.
func (s *Session) inspect(m *message.Message) bool {
	switch m.Kind() {
	case message.Notification:
		return !s.repeats(m)
	case message.Request, message.Batch, message.Invalid:
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := m.Envelope().ID()
	if _, ok := find(s.x.asked, id); !ok {
		s.log.Debug("answer of the client to no request in flight", "id", string(id))
		return false
	}
	delete(s.x.asked, message.Key(id))
	return true
}

// afterwards draws the consequences of a notification that has been sent.
func (s *Session) afterwards(m *message.Message) {
	if m.Kind() != message.Notification {
		return
	}
	switch m.Envelope().Method() {
	case "notifications/initialized":
		s.mu.Lock()
		s.shake.initialized(m)
		s.greeted.Store(true)
		s.mu.Unlock()
	case "notifications/cancelled":
		s.mu.Lock()
		sl, ok := find(s.x.slips, m.Envelope().Cancels())
		if ok && sl.method != "initialize" {
			// A server should not answer now (utilities/cancellation), but the HTTP request must end.
			if sl.timer != nil {
				sl.timer.Stop()
			}
			sl.timer = time.AfterFunc(cancelGrace, func() {
				s.fail(sl, &Failure{Text: "the request was cancelled", Reason: ReasonCanceled})
			})
		}
		s.mu.Unlock()
	}
}

// Close ends the session: its id is unknown from now on, what waits is answered, streams end, and
// the process goes down the ladder, which Close does not wait for. Only the first call counts.
func (s *Session) Close(why string) {
	s.end(&Failure{Text: why, Reason: ReasonClosed, Retryable: true})
}

// retire is Close for a session that may go on with another process, here or elsewhere.
func (s *Session) retire(why string) {
	s.finish(&Failure{Text: why, Reason: ReasonClosed, Retryable: true}, func() bool { return true })
}

// end is Close for any reason.
func (s *Session) end(f *Failure) {
	s.finish(f, func() bool {
		if s.known != s.Key && s.server.OnLost != NotFound { // its id would still open
			s.table.past.write(s.known.ID, time.Time{}, s.server.until(s.created))
		}
		return true
	})
}

// finish ends the session if it has not ended and settle, which is called with mu held and writes
// down what is to become of its id, reports true. It reports whether it did.
func (s *Session) finish(f *Failure, settle func() bool) bool {
	s.mu.Lock()
	if s.why != nil || !settle() {
		s.mu.Unlock()
		return false
	}
	s.why = f
	if s.clock != nil {
		s.clock.Stop()
	}
	s.failAll(f)
	for _, st := range s.streams {
		st.end()
	}
	s.standalone.end()
	if s.active == 0 {
		s.release()
	}
	s.notify()
	s.mu.Unlock()
	s.table.forget(s)
	s.cancel()
	s.log.Info("session ended", "why", f.Text, "reason", f.Reason)
	s.rec.Ended(f.Text)
	return true
}

// release frees what is held for readers, once the session has ended and nobody reads any more. mu
// is held.
func (s *Session) release() {
	for _, st := range s.streams {
		for len(st.events) > 0 {
			st.drop()
		}
	}
	s.events = eventLog{}
}

// notify wakes those who wait for now or why. mu is held.
func (s *Session) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}
