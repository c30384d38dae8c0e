package session

import (
	"maps"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// A router says where the messages of a session's process go. It is guarded by the session's mu.
//
// On stdio a message does not say which HTTP request it belongs to. What it does say decides:
// the id that it answers, the progress token, the request that it cancels, the task. For the rest
// there is a rule, place. No message goes to two streams (MCP transports, "Multiple Connections").
type router struct {
	streams        *stream.Set
	listener       post                // what the standalone stream is for
	pending        map[string]*pending // by message.Key of the request's id
	tokens         map[string]*pending // by message.Key of its progress token
	tasks          map[string]*post    // tasks/result requests in flight, by task
	serverRequests map[string]*post    // requests of the server that were not answered yet: where they went
	posts          []*post             // those that wait for answers, oldest first
	late           late                // ids that the process may still answer, without a client that waits
	renamed        map[string]*pending // requests in flight under ids of ours, by message.Key of the client's
	renames        int                 // that there ever were
	over           []over              // calls that have ended, whose observer is told once the session is not locked
	retyped        bool                // the process has answered with an id of another type than it was asked with
}

// maxServerRequests bounds how many requests of its own a server may have open. Of those beyond, the
// client's answers are dropped.
const maxServerRequests = 1024

func newRouter(streams *stream.Set) router {
	return router{
		streams: streams, listener: post{stream: streams.Standalone()},
		pending: map[string]*pending{}, tokens: map[string]*pending{},
		tasks: map[string]*post{}, serverRequests: map[string]*post{}, renamed: map[string]*pending{}, late: late{Max: maxLate},
	}
}

// A post is an HTTP request that waits for answers, and the stream on which they come.
type post struct {
	stream  *stream.Stream
	waiting int  // requests that were not answered
	plain   bool // the client takes nothing but the answers
}

// A newPost is what a POST with one request needs, made at once: it is most of what a call allocates here.
type newPost struct {
	post
	own     stream.Stream // what stream is
	request pending
	list    [1]*pending
}

// add registers a request, which m is. It reports false if one with this id is in flight.
func (x *router) add(p *pending, m *message.Message) bool {
	if x.pending[p.key] != nil || x.renamed[p.key] != nil {
		return false
	}
	if _, late := x.late.Get(p.key); late {
		x.rename(p, m)
	}
	x.pending[p.key] = p
	if p.token != "" {
		x.tokens[p.token] = p
	}
	if p.task != "" {
		x.tasks[p.task] = p.post
	}
	if p.post.waiting++; p.post.waiting == 1 {
		x.posts = append(x.posts, p.post)
	}
	return true
}

// remove takes a request out: it is answered, or will never be.
func (x *router) remove(p *pending) {
	delete(x.pending, p.key)
	if len(x.renamed) > 0 {
		delete(x.renamed, message.Key([]byte(p.id)))
	}
	if x.tokens[p.token] == p {
		delete(x.tokens, p.token)
	}
	if p.task != "" && x.tasks[p.task] == p.post {
		delete(x.tasks, p.task)
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.post.waiting--; p.post.waiting == 0 {
		if i := slices.Index(x.posts, p.post); i >= 0 {
			x.posts = slices.Delete(x.posts, i, i+1)
		}
	}
}

// waits reports whether p was not answered, nor taken back.
func (x *router) waits(p *pending) bool { return x.pending[p.key] == p }

// An over is how a call ended.
type over struct {
	call *calls.Call
	how  calls.Outcome
}

// ended notes how the call of p ended, which unlock tells.
func (x *router) ended(p *pending, how calls.Outcome) {
	if p.call != nil {
		x.over = append(x.over, over{p.call, how})
		p.call = nil
	}
}

// unlock unlocks the session, and reports the calls that ended under the lock.
func unlock(s *Session) {
	ended := s.router.over
	s.router.over = nil
	s.mu.Unlock()
	for _, o := range ended {
		o.call.End(o.how)
	}
}

// answer passes the answer to p on.
func (x *router) answer(p *pending, m *message.Message) {
	if p.call != nil {
		x.ended(p, child.Outcome(p.method, m))
	}
	x.remove(p)
	x.streams.Push(p.post.stream, m, p.post.waiting == 0 && p.post != &x.listener)
}

// fail answers p with f.
func (x *router) fail(p *pending, f *child.Failure) {
	answer := f.Answer([]byte(p.id))
	if p.call != nil {
		how := f.Outcome()
		how.Out = answer.Len()
		x.ended(p, how)
	}
	x.answer(p, answer)
}

// failAll answers every request that waits with f, and forgets what the process asked.
func (x *router) failAll(f *child.Failure) {
	for _, p := range x.pending {
		x.fail(p, f)
	}
	clear(x.serverRequests)
	x.late = late{Max: maxLate} // the process is gone, and with it its answers
}

// find looks up an id or a token, and the key that it is under. If no key is it to the letter it is the
// one that is nearest.
func find[V any](m map[string]V, id []byte) (key string, v V, ok bool) {
	key = message.Key(id)
	if v, ok = m[key]; ok {
		return key, v, true
	}
	if key, ok = message.Nearest(id, maps.Keys(m)); ok {
		v = m[key]
	}
	return key, v, ok
}

// toListener are the notifications that concern no request, whatever is in flight.
var toListener = map[string]bool{
	"notifications/tools/list_changed":     true,
	"notifications/prompts/list_changed":   true,
	"notifications/resources/list_changed": true,
	"notifications/resources/updated":      true,
	"notifications/tasks/status":           true,
	"notifications/elicitation/complete":   true,
}

// reachable reports whether messages other than answers can still reach a client by p.
func (x *router) reachable(p *post) bool {
	return p.waiting > 0 && !p.plain && x.streams.Reachable(p.stream)
}

// place says where a message goes that is neither an answer nor of a known request.
//
//   - with a related task, to the tasks/result request of that task, if one is open;
//   - what concerns no request, to the standalone stream;
//   - anything else to the one POST in flight; with several, to the standalone stream if someone
//     listens there, else to the newest POST; with none, to the standalone stream, which keeps it.
func (x *router) place(e *message.Envelope, method string) *post {
	if task := e.RelatedTask(); task != nil {
		if _, p, ok := find(x.tasks, task); ok && x.reachable(p) {
			return p
		}
	}
	if toListener[method] {
		return &x.listener
	}
	var newest *post
	count := 0
	for _, p := range x.posts {
		if x.reachable(p) {
			newest = p
			count++
		}
	}
	if newest == nil || count > 1 && x.streams.Listening() {
		return &x.listener
	}
	return newest
}

// route passes on m, which it takes over, and returns the stream that it went to, or nil if it answers
// no request in flight. When it returns a request, m is the answer to that, which is to be recorded
// before it is passed on, and is still the caller's.
func (x *router) route(m *message.Message) (*stream.Stream, *pending) {
	e := m.Envelope()
	if e.Kind() == message.Response {
		p := x.answered(e.ID())
		if p == nil {
			m.Free()
			return nil, nil
		}
		other := (e.ID()[0] == '"') != (p.key[0] == '"')
		x.retyped = x.retyped || other
		if other || p.sent != p.id {
			m.Splice(message.Edit{Part: message.PartID, Text: []byte(p.id)})
		}
		if p.record != nil {
			return nil, p
		}
		x.answer(p, m)
		return p.post.stream, nil
	}
	to := x.destination(e)
	if e.Kind() == message.Request && len(x.serverRequests) < maxServerRequests {
		x.serverRequests[message.Key(e.ID())] = to
	}
	x.streams.Push(to.stream, m, false)
	return to.stream, nil
}

// destination says where a message goes that is not an answer to a request.
func (x *router) destination(e *message.Envelope) *post {
	method := e.Method()
	if e.Kind() == message.Notification {
		switch method {
		case "notifications/progress":
			p := x.tokens[string(e.ProgressOf())] // as nearly always, without an allocation
			if p == nil {
				_, p, _ = find(x.tokens, e.ProgressOf())
			}
			if p != nil && !p.post.plain {
				return p.post
			}
			return &x.listener // of a task that outlives its request
		case "notifications/cancelled":
			if key, to, ok := find(x.serverRequests, e.Cancels()); ok {
				delete(x.serverRequests, key)
				if to.waiting > 0 || to == &x.listener {
					return to
				}
			}
		}
	}
	// Among these is {"id":null,"error":…}: the server could not read something. Whose it was it does
	// not say.
	return x.place(e, method)
}
