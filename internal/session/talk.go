package session

import (
	"context"
	"encoding/json"
	"sync/atomic"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/policy"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// A session whose client asks for no more than what a process is known to answer has none: it is
// answered from a Talk. The first message that needs a process starts it, which is then told the handshake
// as one is that takes the place of another.

// A Talk is what a server is known to answer to a client that begins in one way. Its methods may be called
// from any goroutine.
type Talk interface {
	// Serves reports whether the answers may replace a process now.
	Serves() bool
	// Begun returns the answer to initialize, which is not changed.
	Begun() []byte
	// Knows reports whether Answer has an answer to a request.
	Knows(request *message.Message) bool
	// Answer returns the answer to a request, with its id; nil if only a process knows it, or the
	// caller may have no more memory now, for which it may wait.
	Answer(request *message.Message, caller string) *message.Message
	// Check compares what a process answers with what is known: begun, which it has answered to
	// initialize, and the rest by ask, which takes the request over. It returns the notifications that tell
	// a client what is otherwise. It fails with ask's error.
	Check(begun *message.Message, ask func(request *message.Message) (*message.Message, error)) (changed []string, err error)
	// Doubt says why a process could not be compared.
	Doubt(why string)
}

// opened is the known answer of a Talk to initialize, found once.
type opened struct {
	version      string
	capabilities []byte
	digest       [8]byte
}

// recall returns what is known of the conversation that o begins, or nil; if it serves, h is then what it is
// once initialize was answered.
func (t *Table) recall(o Opening, h *handshake) Talk {
	if o.Server.Known == nil {
		return nil
	}
	request, initialize := h.request, o.Initialize
	if initialize != nil {
		request = recorded(initialize)
	}
	if request == "" {
		return nil
	}
	if initialize == nil {
		initialize = request.message()
		defer initialize.Free()
	}
	talk := o.Server.Known(initialize)
	if talk == nil {
		return nil
	}
	known, ok := t.opened(talk)
	if !ok || h.version != "" && h.version != known.version || h.digest != [8]byte{} && h.digest != known.digest ||
		o.ticket != nil && h.version == "" { // which version its client was told is not known
		return nil
	}
	if talk.Serves() {
		h.request, h.asked, h.version, h.capabilities, h.digest = request, request, known.version, known.capabilities, known.digest
	}
	return talk
}

// opened reads a Talk's answer to initialize, once.
func (t *Table) opened(talk Talk) (opened, bool) {
	if known, ok := t.talks.Load(talk); ok {
		return known.(opened), true
	}
	var a initializeResult
	if json.Unmarshal(talk.Begun(), &a) != nil || a.Result.ProtocolVersion == "" {
		return opened{}, false
	}
	known := opened{a.Result.ProtocolVersion, a.Result.Capabilities, a.digest()}
	t.talks.Store(talk, known)
	return known, true
}

// known reports whether l is not a process, but what one is known to answer.
func (l *link) known() bool { return l.Child == nil }

// takes reports whether l can do without a process what messages ask for.
func (l *link) takes(messages []*message.Message) bool {
	switch {
	case !l.known() || len(messages) == 0:
		return true
	case len(messages) > 1:
		return false
	}
	m := messages[0]
	switch method := m.Envelope().Method(); m.Kind() {
	case message.Request:
		if method == "initialize" && l.s.known.opening.Load() || l.refusal(m) != nil {
			return true
		}
		return l.s.known.Serves() && l.s.known.Knows(m)
	case message.Notification:
		switch method {
		case "notifications/initialized", "notifications/cancelled", "notifications/progress", "notifications/roots/list_changed":
			return true
		}
	case message.Response: // to a request that was not sent
		return true
	}
	return false
}

// refusal says why no process is to see a request, or nil.
func (l *link) refusal(m *message.Message) *policy.Refusal {
	if l.s.server.Policy == nil {
		return nil
	}
	return l.s.server.Policy.Refuse(m, false)
}

// tell is what Send does where l is not a process. It is not ok if there is one by now.
func (l *link) tell(ctx context.Context, messages []*message.Message, mode ReplyMode, of []*calls.Call) (reader *stream.Reader, ok bool, err error) {
	var answer *message.Message
	var refusal *policy.Refusal
	m := messages[0] // there is one: see takes
	if m.Kind() == message.Request {
		refusal = l.refusal(m)
	}
	if m.Kind() == message.Request && refusal == nil {
		if answer = l.s.known.Answer(m, l.s.Principal); answer == nil {
			return nil, true, &child.Failure{Text: message.ErrNoMemory.Error(), Reason: child.ReasonLarge, Retryable: true}
		}
	}
	reader, requests, ok, err := l.register(ctx, messages, mode, of)
	if !ok || err != nil {
		if answer != nil {
			answer.Free()
		}
		return nil, ok, err
	}
	l.s.rec.Sent(m)
	switch {
	case refusal != nil:
		l.answerRefused(requests[0], refusal)
	case answer != nil:
		if m.Envelope().Method() == "initialize" {
			l.s.known.opening.Store(false)
		}
		l.s.rec.Received(answer)
		l.route(answer)
	}
	return reader, true, nil
}

// wake starts the process of s, once there is room for it, unless that was done.
func (t *Table) wake(s *Session) error {
	for {
		t.admission.Measure()
		victim, err := t.tryWake(s)
		if victim == nil {
			return err
		}
		victim.Evict()
	}
}

func (t *Table) tryWake(s *Session) (victim admission.Tenant, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, admission.ErrClosed
	}
	if launched(s) {
		return nil, nil
	}
	if victim, err = t.admission.Start(s); victim != nil || err != nil {
		if err != nil {
			t.count.refused.Add(1)
		}
		return victim, err
	}
	if s.known.rise() {
		t.idle--
		t.runLocked(s, "session got a process", "")
	}
	return nil, nil
}

// launched reports whether s has a process, or is on the way to one, or from one.
func launched(s *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.launched
}

// A recollection is what a session knows of its server without a process. Its fields below are guarded by the
// session's mu. A nil one knows nothing.
type recollection struct {
	Talk
	s       *Session
	opening atomic.Bool // the initialize that opened the session is still to come, and it is known what answers that

	begun   record   // what a process has answered to initialize, if that is to be compared
	notices []string // methods of notifications that are due with the next call
}

// rise notes that the session gets a process, and reports false if it has ended.
func (r *recollection) rise() bool {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return false
	}
	s.launched, s.proc = true, nil
	s.changed.notify()
	return true
}

// check asks a process that has been told the handshake whether it answers as is known, and notes what the
// client has to be told.
func (r *recollection) check(l *link, begun *message.Message) error {
	if r == nil {
		return nil
	}
	changed, err := r.Check(begun, func(m *message.Message) (*message.Message, error) {
		defer m.Free()
		return l.Ask(m, l.pass)
	})
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.notices = changed
	return err
}

// doubt says that a process of the session never took calls, unless we ended it. begun is
// what it answered to initialize, if it did.
func (r *recollection) doubt(f *child.Failure, begun *message.Message) {
	switch {
	case r == nil || r.s.ctx.Err() != nil:
	case begun != nil:
		r.Check(begun, func(m *message.Message) (*message.Message, error) {
			m.Free()
			return nil, f // it is of no use
		})
	default:
		r.Doubt(f.Text)
	}
}

// noteBegunLocked notes what a process has answered to a client's initialize.
func (r *recollection) noteBegunLocked(answer *message.Message) {
	if r != nil {
		r.begun = recorded(answer)
	}
}

// checkLater is check for a process that a client initializes by itself, once it has.
func (r *recollection) checkLater() {
	begun := r.takeBegun()
	if begun == "" {
		return
	}
	r.s.table.background(func(ctx context.Context) {
		m := begun.message()
		defer m.Free()
		ctx, cancel := context.WithTimeout(ctx, r.s.server.StartTimeout)
		defer cancel()
		ctx = context.WithValue(ctx, unsifted{}, true)
		_, err := r.Check(m, func(m *message.Message) (*message.Message, error) { return query(ctx, r.s, m) })
		if err != nil {
			r.s.log.Debug("server's answers not compared with its manifest", "error", err)
		}
	})
}

// unsifted is the key of a context for requests of ours whose answers are wanted as the process gives them,
// whatever the policy keeps from callers.
type unsifted struct{}

// takeBegun returns what noteBegunLocked has noted, once.
func (r *recollection) takeBegun() record {
	if r == nil {
		return ""
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	begun := r.begun
	r.begun = ""
	return begun
}

// noticeLocked tells the client, on the stream of its call if it takes one, which lists it knows otherwise.
func (r *recollection) noticeLocked(to *post) {
	if r == nil {
		return
	}
	for _, method := range r.notices {
		r.s.streams.Push(to.stream, message.Must([]byte(`{"jsonrpc":"2.0","method":"`+method+`"}`)), false)
	}
	r.notices = nil
}
