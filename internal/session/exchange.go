package session

import (
	"slices"
	"strconv"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// exchange is the switchboard of one session. Its fields are guarded by the session's mu.
//
// On stdio a message does not say which HTTP request it belongs to. What it does say decides:
// the id that it answers, the progress token, the request that it cancels, the task. For the rest
// there is a rule, place. No message goes to two streams (MCP transports, "Multiple Connections").
type exchange struct {
	slips  map[string]*slip   // by message.Key of the request's id
	tokens map[string]*slip   // by message.Key of its progress token
	tasks  map[string]*Stream // tasks/result requests in flight, by task
	asked  map[string]*Stream // requests of the server that were not answered yet: where they went
	posts  []*Stream          // streams with slips, oldest first
}

// A slip is one client's request that the server has not answered.
type slip struct {
	stream *Stream
	id     string // as the client wrote it
	key    string
	token  string // "" for none
	task   string // "" for none
	method string
	note   func(answer *message.Message) // called, without mu, before the answer is passed on
	timer  *time.Timer                   // nil for none
}

// fill makes sl, which is new, the slip of the request with this envelope, whose answer goes to st.
func (sl *slip) fill(st *Stream, e *message.Envelope) {
	sl.stream, sl.key, sl.token, sl.method = st, message.Key(e.ID()), message.Key(e.ProgressToken()), e.Method()
	if sl.id = sl.key; sl.id != string(e.ID()) {
		sl.id = string(e.ID())
	}
	if sl.method == "tasks/result" {
		sl.task = message.Key(e.TaskOf())
	}
}

// maxAsked bounds how many requests of its own a server may have open. Of those beyond, the client's
// answers are dropped.
const maxAsked = 1024

func newExchange() exchange {
	return exchange{
		slips: map[string]*slip{}, tokens: map[string]*slip{},
		tasks: map[string]*Stream{}, asked: map[string]*Stream{},
	}
}

// add registers a slip. It reports false if a request with this id is in flight.
func (x *exchange) add(sl *slip) bool {
	if x.slips[sl.key] != nil {
		return false
	}
	x.slips[sl.key] = sl
	if sl.token != "" {
		x.tokens[sl.token] = sl
	}
	if sl.task != "" {
		x.tasks[sl.task] = sl.stream
	}
	if sl.stream.slips++; sl.stream.slips == 1 {
		x.posts = append(x.posts, sl.stream)
	}
	return true
}

// remove takes a slip out: it is answered, or will never be.
func (x *exchange) remove(sl *slip) {
	delete(x.slips, sl.key)
	if x.tokens[sl.token] == sl {
		delete(x.tokens, sl.token)
	}
	if sl.task != "" && x.tasks[sl.task] == sl.stream {
		delete(x.tasks, sl.task)
	}
	if sl.timer != nil {
		sl.timer.Stop()
	}
	if sl.stream.slips--; sl.stream.slips == 0 {
		if i := slices.Index(x.posts, sl.stream); i >= 0 {
			x.posts = slices.Delete(x.posts, i, i+1)
		}
	}
}

// find looks up an id or a token. A server may write a number otherwise than the client
// did (1.0 for 1, or a float for an integer beyond 2^53), so that the value decides when the text
// does not.
func find[V any](m map[string]V, id []byte) (v V, ok bool) {
	if v, ok = m[string(id)]; ok || len(id) == 0 {
		return v, ok
	}
	if id[0] == '"' {
		v, ok = m[message.Key(id)]
		return v, ok
	}
	want, err := strconv.ParseFloat(string(id), 64)
	if err != nil {
		return v, false
	}
	for key, candidate := range m {
		if got, err := strconv.ParseFloat(key, 64); err == nil && got == want {
			if ok {
				var none V
				return none, false // two are as near: neither is it
			}
			v, ok = candidate, true
		}
	}
	return v, ok
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

// place says where a message goes that is neither an answer nor of a known request.
//
//   - with a related task, to the tasks/result request of that task, if one is open;
//   - what concerns no request, to the standalone stream;
//   - anything else to the one POST in flight; with several, to the standalone stream if somebody
//     listens there, else to the newest POST; with none, to the standalone stream, which keeps it.
func (s *Session) place(e *message.Envelope, method string) *Stream {
	if task := e.RelatedTask(); task != nil {
		if st, ok := find(s.x.tasks, task); ok && st.open() {
			return st
		}
	}
	if toListener[method] {
		return s.standalone
	}
	var newest *Stream
	count := 0
	for _, st := range s.x.posts {
		if st.open() {
			newest = st
			count++
		}
	}
	if newest == nil || count > 1 && s.standalone.reader != nil {
		return s.standalone
	}
	return newest
}

// route passes on one message of the process, which it takes over, and returns the stream that it
// went to, or nil. It does not block.
func (s *Session) route(m *message.Message) *Stream {
	e := m.Envelope()
	method := e.Method()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil { // nobody can read it any more
		m.Free()
		return nil
	}
	var st *Stream
	switch e.Kind() {
	case message.Response:
		sl, ok := find(s.x.slips, e.ID())
		if !ok {
			s.log.Debug("answer to no request in flight", "id", string(e.ID()))
			m.Free()
			return nil
		}
		if sl.note != nil {
			s.mu.Unlock()
			sl.note(m)
			s.mu.Lock()
			if s.x.slips[sl.key] != sl { // answered by a failure in the meantime
				m.Free()
				return nil
			}
		}
		s.answer(sl, m)
		return sl.stream
	case message.Request:
		st = s.place(e, method)
		if len(s.x.asked) < maxAsked {
			s.x.asked[message.Key(e.ID())] = st
		}
	case message.Notification:
		switch method {
		case "notifications/progress":
			st = s.standalone // of a task that outlives its request
			if sl, ok := find(s.x.tokens, e.ProgressOf()); ok && !sl.stream.plain {
				st = sl.stream
			}
		case "notifications/cancelled":
			if to, ok := find(s.x.asked, e.Cancels()); ok {
				delete(s.x.asked, message.Key(e.Cancels()))
				if !to.ended {
					st = to
				}
			}
		}
		if st == nil {
			st = s.place(e, method)
		}
	default:
		// {"id":null,"error":…}: the server could not read something. Whose it was it does not say.
		st = s.place(e, method)
	}
	st.push(m)
	return st
}

// answer passes the answer to its stream. mu is held.
func (s *Session) answer(sl *slip, m *message.Message) {
	s.x.remove(sl)
	if sl.stream.slips == 0 && sl.stream != s.standalone {
		sl.stream.ended = true // before push, so that the event knows that it is the last
	}
	sl.stream.push(m)
}
