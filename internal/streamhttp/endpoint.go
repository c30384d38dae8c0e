package streamhttp

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/pool"
	"github.com/mcpfunc/mcpfunc/internal/session"
)

// The header fields of MCP (transports, "Session Management", "Protocol Version Header",
// "Resumability").
const (
	HeaderSession = "Mcp-Session-Id"
	HeaderVersion = "Mcp-Protocol-Version"
	headerResume  = "Last-Event-Id"
	headerRequest = "X-Azure-Functions-Invocationid" // by which the Functions host names a request
)

// Codes of JSON-RPC errors that an Endpoint makes. What is not of JSON-RPC itself follows the
// custom of the SDKs, which clients know (MCP 2026-07-28, basic, "Error codes").
const (
	codeParse       = -32700
	codeInvalid     = -32600
	codeInternal    = -32603
	codeNoSession   = -32001
	codeUnsupported = -32022 // a protocol version
)

// versions are the protocol versions that are spoken here, the newest last.
var versions = []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}

const (
	latest      = "2025-11-25"
	unversioned = "2025-03-26" // what a client speaks that does not say (2025-06-18, transports)
	primed      = "2025-11-25" // from here on an SSE stream begins with an empty event
	maxBatch    = 64
	maxID       = 128 // bytes of a session id that a client chose
)

// An Endpoint is one server at one URL. It is safe for concurrent use; its fields are not changed
// once it is in use.
type Endpoint struct {
	Table  *session.Table
	Server *session.Server
	Pools  *pool.Pools
	Pool   *pool.Server // the same server, for requests without a session
	Log    *slog.Logger

	Forwarder Forwarder // reaches other instances; nil for none

	MaxBody   int64           // bytes of a POST
	Budget    *message.Budget // of large POSTs together; nil for none
	Keepalive time.Duration   // between comments on a silent SSE stream
	MaxStream time.Duration   // of one SSE answer; the client then resumes
	HostLimit time.Duration   // of any request, after which the Functions host ends all of us; zero for none

	ClientIDs bool // accept session ids that clients choose
	Anonymous bool // open a session for a request without id

	// Refuse, if it is set, is asked before a POST is passed on to a session: owner is the Value of
	// the caller that opened it, caller that of this request. It returns what to answer instead, or
	// session.ErrUnknown, which ends the session, or the process that requests share.
	Refuse func(owner, caller any) (http.Handler, error)

	Calls          calls.Observer // nil for none
	WantsArguments bool           // Calls wants the arguments of tools

	// Forbid, if it is set, is asked of every message of a client: what to answer instead of passing it on,
	// since its caller lacks something for it, or nil.
	Forbid func(caller any, m *message.Message) http.Handler
	Strict bool // refuse messages that two readers could understand differently

	timers sync.Pool // of *time.Timer, stopped
}

// A Caller is the caller of a request.
type Caller struct {
	Principal string
	Client    string    // the program that the principal uses; empty if it is not known
	Source    string    // where the request comes from, if known; used instead of an empty principal
	Value     any       // handed to the server's Launch; may be a child.Renewer and an io.Closer
	Expires   time.Time // after which no stream may go on; zero for never
	Token     Token     // which Expires and Again are of; nil for none
	Again     time.Time // when the token is to be judged again; zero for never
	Passed    bool      // another instance passes the request on: it is answered here, or not at all
}

// expiryLeeway is how long a stream outlives its caller's token: as long as clocks may differ.
const expiryLeeway = time.Minute

// streamLimit is how long a stream of this caller may be, of which clients come back for the rest after own.
func (q *request) streamLimit(own time.Duration) time.Duration {
	limit := own
	if !q.end.IsZero() {
		limit = min(limit, time.Until(q.end)+farewellTime)
	}
	if q.caller.Expires.IsZero() {
		return limit
	}
	return min(limit, time.Until(q.caller.Expires)+expiryLeeway)
}

// How long before the limit of the host a call is ended, at most, and how long its stream then stays for the
// answer that says so. The host has two seconds of patience of its own beyond its limit.
const (
	hostMargin   = 5 * time.Second
	farewellTime = time.Second
)

// enter sets the time of q before the host's limit, and has its token judged again. leave must follow.
func (q *request) enter() {
	q.share = q.Budget.Share(q.Server.Name, cmp.Or(q.caller.Principal, q.caller.Source))
	q.recheck()
	q.began = time.Now()
	q.ctx = q.r.Context()
	if q.HostLimit > 0 {
		q.end = q.began.Add(q.HostLimit - min(hostMargin, q.HostLimit/4))
		q.limited = child.Until(q.ctx, q.end, q.HostLimit)
		q.ctx = q.limited
	}
}

// leave ends what enter has begun.
func (q *request) leave() {
	if q.limited != nil {
		q.limited.Stop()
	}
	if q.settle != nil {
		q.settle()
	}
}

// calling is the context for calls whose answers come in this way. One on a stream that ends before the
// host's limit, by a limit of ours, outlives it: the client comes back for the rest.
func (q *request) calling(mode session.ReplyMode) context.Context {
	if q.limited != nil && (mode == session.OnListener || mode == session.OnStream && q.MaxStream < q.end.Sub(q.began)) {
		return q.limited.Endless()
	}
	return q.ctx
}

// request is one HTTP request on its way. It is on the stack of its handler, so nothing keeps a pointer to it.
type request struct {
	*Endpoint
	w      http.ResponseWriter
	r      *http.Request
	caller Caller
	begun  bool // the head of an SSE answer is written

	ctx     context.Context // of r, until end
	limited *child.Limited  // ctx, if end is not zero
	began   time.Time
	end     time.Time // at which the request has to be over; zero for never
	settle  func()    // ends the judging of its token; nil for none

	negotiated bool             // its session speaks the version of its header, which we do not speak
	early      *message.Message // its body, if it had to be read to judge that header; else nil

	share   message.Share // of Budget
	content body

	alone [1]*message.Message // of a POST that is not a batch
	one   [1]*calls.Call      // what it is, where someone hears of calls
	id    [40]byte            // room for the id of its request
}

// Serve answers one request to the streamable HTTP endpoint.
func (e *Endpoint) Serve(w http.ResponseWriter, r *http.Request, caller Caller) {
	q := &request{Endpoint: e, w: w, r: r, caller: caller}
	q.enter()
	defer q.leave()
	for _, field := range [...]string{HeaderSession, HeaderVersion, headerResume} {
		if len(r.Header[field]) > 1 { // a proxy that checked one of them may have read another than we would
			q.refuse(http.StatusBadRequest, codeInvalid, "the header "+field+" is repeated")
			return
		}
	}
	if !q.versionSpoken() {
		return
	}
	if q.postOnly() {
		q.methodNotAllowed("POST", "method "+r.Method+" is not allowed in this protocol version: use POST")
		return
	}
	switch r.Method {
	case http.MethodPost:
		q.post()
	case http.MethodGet:
		q.get()
	case http.MethodDelete:
		q.delete()
	default:
		q.methodNotAllowed("GET, POST, DELETE", "method "+r.Method+" is not allowed here")
	}
}

// methodNotAllowed refuses the method of the request, and names those that it could have.
func (q *request) methodNotAllowed(allow, text string) {
	q.w.Header().Set("Allow", allow)
	q.refuse(http.StatusMethodNotAllowed, codeInvalid, text)
}

// refuse answers with a JSON-RPC error that belongs to no request.
func (q *request) refuse(status, code int, text string) {
	q.refuseID(status, code, text, nil, "")
}

// refuseID answers with a JSON-RPC error. data is JSON or empty.
func (q *request) refuseID(status, code int, text string, id []byte, data string) {
	if c := q.one[0]; c != nil {
		how := calls.Outcome{Kind: calls.Refused, Code: code, Reason: "http_" + strconv.Itoa(status)}
		if status >= http.StatusInternalServerError {
			how.Kind = calls.Failed
		}
		c.End(how)
	}
	if id == nil {
		id = []byte("null")
	}
	if data != "" {
		data = `,"data":` + data
	}
	body := append([]byte(`{"jsonrpc":"2.0","id":`), id...)
	body = append(body, `,"error":{"code":`...)
	body = strconv.AppendInt(body, int64(code), 10)
	body = append(body, `,"message":`...)
	body = append(body, quote(text)...)
	body = append(body, data+"}}"...)
	q.head(status, len(body))
	q.w.Write(body)
}

// Values of header fields that are set for every answer, made once.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
)

// shortBody is the size of a body up to which net/http says its length by itself, and cheaper. It
// does so up to 2 KiB.
const shortBody = 1 << 10

// head writes the response head of a JSON answer. length is that of the body, or -1 if it is not known.
func (q *request) head(status int, length int) {
	h := q.w.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	if length > shortBody {
		h["Content-Length"] = []string{strconv.Itoa(length)}
	}
	q.w.WriteHeader(status)
}

// failed answers for an error of the session layer.
func (q *request) failed(err error, id []byte) {
	q.one[0].End(noAnswer(err))
	var full *admission.FullError
	var busy *admission.BusyError
	var failure *child.Failure
	switch {
	case errors.Is(err, session.ErrUnknown):
		q.refuse(http.StatusNotFound, codeNoSession, "session not found")
	case errors.Is(err, session.ErrDuplicate):
		q.refuse(http.StatusBadRequest, codeInvalid, err.Error())
	case errors.Is(err, admission.ErrClosed):
		q.w.Header().Set("Retry-After", "5")
		q.refuseID(http.StatusServiceUnavailable, codeInternal, err.Error(), id, `{"reason":"shutting_down","retryable":true}`)
	case errors.As(err, &full):
		seconds := strconv.Itoa(int(full.RetryAfter / time.Second))
		q.w.Header().Set("Retry-After", seconds)
		q.refuseID(http.StatusServiceUnavailable, codeInternal, full.Error(), id,
			`{"reason":"full","retryable":true,"limit":`+strconv.Itoa(full.Limit)+`,"retry_after":`+seconds+`}`)
	case errors.As(err, &busy):
		q.w.Header().Set("Retry-After", "1")
		q.refuseID(http.StatusTooManyRequests, codeInternal, busy.Error(), id,
			`{"reason":"too_many_requests","retryable":true,"limit":`+strconv.Itoa(busy.Limit)+`,"retry_after":1}`)
	case errors.As(err, &failure) && id != nil:
		answer := failure.Answer(id)
		defer answer.Free()
		q.head(http.StatusOK, answer.Len())
		answer.WriteTo(q.w)
	case errors.As(err, &failure):
		q.refuse(http.StatusServiceUnavailable, codeInternal, failure.Text)
	case errors.Is(err, context.Canceled):
		q.over() // otherwise the client is gone and does not read this
	default:
		q.Log.Error("request failed", "error", err)
		q.refuseID(http.StatusInternalServerError, codeInternal, "internal error", id, "")
	}
}

// forbidden reports whether the caller lacks something for m. It has answered then.
func (q *request) forbidden(m *message.Message) bool {
	if q.Forbid == nil {
		return false
	}
	answer := q.Forbid(q.caller.Value, m)
	if answer != nil {
		if c := q.observe(m, m.Envelope().Modern()); c != nil {
			c.End(calls.Outcome{Kind: calls.Refused, Reason: "forbidden"})
		}
		answer.ServeHTTP(q.w, q.r)
	}
	return answer != nil
}

// checked reports whether m is a message that a client may send, alone or in a batch. It has
// answered when it returns false.
func (q *request) checked(m *message.Message) bool {
	e := m.Envelope()
	switch {
	case m.Kind() == message.Invalid || m.Kind() == message.Batch,
		e.NullID() && !strings.HasPrefix(e.Method(), "notifications/"): // it would wait for an answer that has no id
		q.refuse(http.StatusBadRequest, codeInvalid, "the body is JSON but not a JSON-RPC request, notification or response")
	case !e.Version():
		q.refuse(http.StatusBadRequest, codeInvalid, `"jsonrpc" must be "2.0"`)
	case q.Strict && e.Ambiguous():
		q.refuse(http.StatusBadRequest, codeInvalid, "the message repeats a member that matters, perhaps in another case")
	default:
		return !q.forbidden(m)
	}
	return false
}
