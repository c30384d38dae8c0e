package streamhttp

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/pool"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// Codes of errors that 2026-07-28 defines (basic, "Error codes").
const (
	codeNoMethod       = -32601
	codeParams         = -32602
	codeHeaderMismatch = -32020
	codeCapability     = -32021
)

// A source is what events are taken from: a reader of a session's stream, a follower or a call.
type source interface {
	Take() (stream.Event, stream.State)
	Ready() <-chan struct{}
}

// postOnly reports whether the request uses a method that its protocol version, or its server's, has
// no more.
func (q *request) postOnly() bool {
	return q.r.Method != http.MethodPost && (q.Pool.Era == pool.ModernEra || !q.negotiated && pool.Modern(q.r.Header.Get(HeaderVersion)))
}

// otherEra answers a POST that does not belong to a session: one of 2026-07-28, or any other to a
// server that speaks nothing else. It takes m over if it reports true.
func (q *request) otherEra(m *message.Message) bool {
	switch {
	case m.Envelope().Modern() && !q.negotiated,
		pool.Modern(q.r.Header.Get(HeaderVersion)) && !q.negotiated && !isInitialize(m):
		q.stateless(m)
	case q.Pool.Era == pool.ModernEra:
		q.unsupported(q.asked(m), firstID(q.id[:0], []*message.Message{m}), []string{pool.Stateless})
		m.Free()
	default:
		return false
	}
	return true
}

// asked is the protocol version that a client with sessions wants to speak.
func (q *request) asked(m *message.Message) string {
	if v := q.r.Header.Get(HeaderVersion); v != "" {
		return v
	}
	var initialize struct {
		Params struct {
			ProtocolVersion string `json:"protocolVersion"`
		} `json:"params"`
	}
	if json.Unmarshal(m.Bytes(), &initialize) == nil && initialize.Params.ProtocolVersion != "" {
		return initialize.Params.ProtocolVersion
	}
	return unversioned
}

// stateless answers a POST of 2026-07-28. It takes m over.
func (q *request) stateless(m *message.Message) {
	defer m.Free()
	e := m.Envelope()
	if m.Kind() != message.Batch && !q.checked(m) {
		return
	}
	switch m.Kind() {
	case message.Request:
	case message.Notification:
		// The revision has none that a client posts: to hang up is to cancel (transports, "Sending
		// Messages"). One that reached a shared process could mean another client's call.
		q.w.WriteHeader(http.StatusAccepted)
		return
	default:
		q.refuse(http.StatusBadRequest, codeInvalid, "the body must be one JSON-RPC request or notification")
		return
	}
	q.one[0] = q.observe(m, true)
	defer q.one[0].End(calls.Outcome{Kind: calls.Refused})
	id := append([]byte(nil), e.ID()...)
	version, _ := m.ProtocolVersion()
	version = cmp.Or(version, q.r.Header.Get(HeaderVersion))
	if q.Pool.Era == pool.LegacyEra {
		q.withSessions(m, version, id, nil)
		return
	}
	if code, text := q.mismatch(m); code != 0 {
		q.refuseID(http.StatusBadRequest, code, text, id, "")
		return
	}
	if e.Method() == "initialize" { // it would make a process that others share one of sessions
		q.refuseID(http.StatusNotFound, codeNoMethod, "protocol version "+version+" does not have initialize", id, "")
		return
	}
	_, stream := q.accepts()
	if e.Method() == "subscriptions/listen" && !stream {
		q.refuseID(http.StatusNotAcceptable, codeInvalid, "Accept must list text/event-stream: a subscription is a stream", id, "")
		return
	}
	if answer := q.Pool.Answer(m, cmp.Or(q.caller.Principal, q.caller.Source)); answer != nil {
		q.known(e.Method(), answer)
		return
	}
	call, worker := q.call(m, id, version)
	if call == nil {
		return
	}
	defer worker.Leave()
	defer call.Leave()
	q.reply(call)
}

// call passes a request on to a process that the caller's requests share: another one if that has
// just ended. It has answered when it returns nil.
func (q *request) call(m *message.Message, id []byte, version string) (*pool.Call, *pool.Worker) {
	const attempts = 3
	var undecided *pool.UndecidedError
	var elsewhere *session.ElsewhereError
	for attempt := 1; ; attempt++ {
		w, err := q.worker(m)
		switch {
		case errors.Is(err, pool.ErrLegacy):
			q.withSessions(m, version, id, nil)
			return nil, nil
		case errors.As(err, &undecided) && m.Envelope().Method() == methodDiscover:
			q.withSessions(m, version, id, undecided.Why)
			return nil, nil
		case errors.As(err, &elsewhere):
			if !q.passTo(elsewhere.Owner, "", m) {
				q.failed(unsettled(), id)
			}
			return nil, nil
		case err != nil:
			q.failed(err, id)
			return nil, nil
		}
		child.Renew(w.Caller, q.caller.Value)
		var answer http.Handler
		if q.Refuse != nil {
			answer, err = q.Refuse(w.Caller, q.caller.Value)
		}
		text := q.paramsDiffer(w, m)
		var call *pool.Call
		switch {
		case answer != nil:
			answer.ServeHTTP(q.w, q.r)
			w.Leave()
			return nil, nil
		case err != nil:
			w.Retire("it can no longer serve its caller")
		case text != "":
			q.refuseID(http.StatusBadRequest, codeHeaderMismatch, text, id, "")
			w.Leave()
			return nil, nil
		default:
			if c := q.one[0]; c != nil {
				c.Session = w.Alias
			}
			call, err = w.Send(q.ctx, m, q.one[0])
		}
		if err == nil {
			return call, w
		}
		w.Leave()
		again := errors.Is(err, pool.ErrRetired) || errors.Is(err, session.ErrUnknown)
		if !again || attempt == attempts {
			if again {
				err = &child.Failure{Text: "the server keeps exiting", Reason: child.ReasonExited, Retryable: true}
			}
			q.failed(err, id)
			return nil, nil
		}
	}
}

// worker returns the process that a request is passed on to, entered: the one that minted its
// requestState, if it has any. It fails with a *session.ElsewhereError if that is on another instance.
func (q *request) worker(m *message.Message) (*pool.Worker, error) {
	caller := pool.Caller{Principal: q.caller.Principal, Client: q.caller.Client, Value: q.caller.Value}
	if state, ok := m.RequestState(); ok {
		w, err := q.Pools.Continue(q.Pool, caller, state)
		if lost, ok := errors.AsType[*pool.LostError](err); !ok || !lost.Elsewhere || !q.forwards() {
			return w, err
		}
		owner, err := q.Pools.Minter(q.ctx, q.Pool, caller, state)
		if err != nil {
			return nil, err
		}
		return nil, &session.ElsewhereError{Owner: owner}
	}
	return q.Pools.Share(q.ctx, q.Pool, caller)
}

// withSessions answers for a server that is to be spoken to with sessions: it speaks nothing else, or, if
// undecided says why, that is not known yet. To server/discover it answers as such a server does, by which
// every client falls back to initialize; there are clients to which an unsupported version is final.
func (q *request) withSessions(m *message.Message, version string, id []byte, undecided *child.Failure) {
	if m.Envelope().Method() != methodDiscover {
		q.unsupported(version, id, versions)
		return
	}
	text, reason := "the server does not support "+methodDiscover+": it speaks protocol versions with sessions, so send initialize", ""
	if undecided != nil {
		text = "it is not known yet whether the server supports " + methodDiscover + ": " + undecided.Text
		reason = `,"reason":` + string(quote(undecided.Reason)) + `,"retryable":true`
	}
	q.refuseID(statusOf(codeNoMethod), codeNoMethod, text, id, spokenInstead(version, versions, reason))
}

const methodDiscover = "server/discover"

// unsupported says which protocol versions may be spoken instead. Clients of both eras then fall
// back by themselves (2026-07-28, basic/versioning).
func (q *request) unsupported(version string, id []byte, spoken []string) {
	q.refuseID(http.StatusBadRequest, codeUnsupported, "protocol version "+version+" is not supported", id, spokenInstead(version, spoken, ""))
}

// spokenInstead is the data of an error, with more members.
func spokenInstead(version string, spoken []string, more string) string {
	list, _ := json.Marshal(spoken)
	return `{"supported":` + string(list) + `,"requested":` + string(quote(version)) + more + `}`
}

// reply gives what comes for a call: one JSON body if the answer comes first, else an SSE stream,
// without event ids, since no stream can be resumed.
func (q *request) reply(call *pool.Call) {
	jsonBody, sse := q.accepts()
	patience := time.NewTimer(q.patience())
	defer patience.Stop()
	for {
		e, state := call.Take()
		switch {
		case state == stream.Taken && e.Message.Kind() == message.Response && (jsonBody || e.Message.Envelope().IsError()):
			q.whole(e.Message)
			return
		case state == stream.Taken && !sse:
			e.Free() // a notification to a client that takes nothing but the answer
			continue
		case state == stream.Taken:
			q.follow(call, &e)
			return
		case state != stream.Waiting:
			q.refuse(http.StatusServiceUnavailable, codeInternal, "the server ended the call without an answer")
			return
		}
		select {
		case <-call.Ready():
		case <-patience.C:
			if sse {
				q.follow(call, nil)
				return
			}
			if q.expired() {
				return
			}
			patience.Reset(q.patience())
		case <-q.r.Context().Done():
			q.over()
			return
		}
	}
}

// known gives an answer to a call of this method for which no process was asked.
func (q *request) known(method string, m *message.Message) {
	defer q.one[0].End(child.Outcome(method, m))
	if jsonBody, _ := q.accepts(); jsonBody || m.Envelope().IsError() {
		q.whole(m)
		return
	}
	q.begin()
	q.tell(m)
}

// whole gives an answer as a JSON body, with the HTTP status that belongs to its error.
func (q *request) whole(m *message.Message) {
	defer m.Free()
	status := http.StatusOK
	if m.Envelope().IsError() {
		status = statusOf(m.ErrorCode())
	}
	q.head(status, m.Len())
	m.WriteTo(q.w)
}

// statusOf is the HTTP status of an answer with this error (2026-07-28, transports, "Protocol
// Version Header" and "Server Validation"; basic, "Error codes").
func statusOf(code int) int {
	switch code {
	case codeNoMethod:
		return http.StatusNotFound
	case codeInvalid, codeParams, codeHeaderMismatch, codeCapability, codeUnsupported:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// follow gives what comes for a call as an SSE stream, beginning with first. A stream that has been
// open for as long as it may is ended.
func (q *request) follow(call *pool.Call, first *stream.Event) {
	q.begin()
	out := newEvents(q)
	defer out.free()
	if first == nil {
		out.comment("ok")
	} else {
		out.event(*first)
		first.Free()
		if first.Last {
			out.flush()
			return
		}
	}
	gone := q.r.Context().Done()
	if out.follow(call, gone, q.streamLimit(q.MaxStream), q.Keepalive) || q.r.Context().Err() != nil {
		return
	}
	call.End("the stream reached its maximum age")
	out.follow(call, gone, math.MaxInt64, q.Keepalive) // until the answer that says so
}
