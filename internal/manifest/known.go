package manifest

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Known is what one server is known to answer. It replaces a process until a process answers otherwise,
// and again when one answers as it is known. Its methods may be called from any goroutine.
type Known struct {
	name   string
	log    *slog.Logger
	budget *message.Budget // of large answers
	era    string
	convs  []*Talk
	last   atomic.Pointer[asked] // initialize: clients send the same bytes each time, and each session asks for them twice

	mu     sync.Mutex
	proven bool           // what is known is of this server, with the values that its variables have
	others map[*Talk]bool // whose answers were found to be others
}

// A Talk is a Conversation whose answers are at hand.
type Talk struct {
	known        *Known
	of           Conversation
	modern       bool
	capabilities string // of the clients whose conversation it is, as a beginning has them; "" for any that were tried
	answers      map[question]said
	lists        []question // in the order in which they were asked
}

type question struct{ method, cursor string }

// Known returns what f says of a server, or nil if that is nothing or of another one. Without a key of keys by
// which the values of its variables are seen to be the same, or where doubt is set, it does not replace a process before one has answered as recorded. Large answers are charged to budget.
func (f *File) Known(name string, from Source, keys []string, doubt bool, log *slog.Logger, budget *message.Budget) *Known {
	s, ok := f.Servers[name]
	if !ok || !s.Same(from.Identity("")) {
		return nil
	}
	proven := !doubt && from.proven(s.Identity, keys)
	k := &Known{name: name, log: log.With("server", name), budget: budget, era: s.Era, proven: proven, others: map[*Talk]bool{}}
	for _, c := range s.Conversations {
		t := &Talk{known: k, of: c, capabilities: begin(json.RawMessage(`""`), c.Capabilities).capabilities, answers: map[question]said{}}
		for _, a := range c.Answers {
			q := question{a.Method, a.Cursor}
			t.answers[q] = f.answers[a.Line]
			t.modern = t.modern || a.Method == methodDiscover
			if Lists[a.Method] != "" {
				t.lists = append(t.lists, q)
			}
		}
		k.convs = append(k.convs, t)
	}
	return k
}

// Era returns which protocol versions the server speaks: "legacy", "modern" or "both"; empty if that is not
// known, or what is known is not to be believed.
func (k *Known) Era() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.others) > 0 {
		return ""
	}
	return k.era
}

func (k *Known) serves() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.proven && len(k.others) == 0
}

// Talk returns the conversation that a client begins with this initialize, or nil if it is not known.
func (k *Known) Talk(initialize *message.Message) *Talk {
	a, ok := k.understand(initialize)
	if !ok || a.method != methodInitialize {
		return nil
	}
	return k.find(a.begins, false)
}

// understand reads a request, or remembers how it was read.
func (k *Known) understand(m *message.Message) (asked, bool) {
	text := m.Small(0)
	if last := k.last.Load(); last != nil && bytes.Equal(last.text, text) {
		return *last, true
	}
	a, ok := understand(m)
	if ok && a.method == methodInitialize && text != nil {
		a.text = bytes.Clone(text)
		k.last.Store(&a)
	}
	return a, ok
}

func (k *Known) find(b beginning, modern bool) (any *Talk) {
	for _, t := range k.convs {
		if t.modern != modern || !t.takes(b) {
			continue
		}
		if t.of.Capabilities != nil {
			return t
		}
		any = t
	}
	return any
}

// Answer returns the answer to a request without a session, with its id; nil if only a process knows it, or the
// caller may have no more memory now.
func (k *Known) Answer(m *message.Message, caller string) *message.Message {
	a, ok := understand(m)
	if !ok || !k.serves() {
		return nil
	}
	if t := k.find(a.begins, true); t != nil {
		return t.reply(a, m, caller)
	}
	return nil
}

// Pages returns the recorded answers to a list.
func (t *Talk) Pages(method string) (pages [][]byte) {
	for _, q := range t.lists {
		if q.method == method {
			pages = append(pages, t.answers[q].text)
		}
	}
	return pages
}

// Serves reports whether the conversation may replace a process now.
func (t *Talk) Serves() bool { return t.known.serves() }

// Knows reports whether Answer has an answer.
func (t *Talk) Knows(m *message.Message) bool {
	a, ok := t.known.understand(m)
	return ok && t.answerTo(a).text != nil
}

// Answer returns the answer to a request, with its id; nil if only a process knows it, or there is no memory
// for it, which it may wait for.
func (t *Talk) Answer(m *message.Message, caller string) *message.Message {
	if a, ok := t.known.understand(m); ok {
		return t.reply(a, m, caller)
	}
	return nil
}

func (t *Talk) answerTo(a asked) said {
	if a.method == methodInitialize && !t.takes(a.begins) {
		return said{}
	}
	return t.answers[question{a.method, a.cursor}]
}

func (t *Talk) reply(a asked, m *message.Message, caller string) *message.Message {
	known := t.answerTo(a)
	if known.text == nil {
		return nil
	}
	var share *message.Share
	if b := t.known.budget; b != nil {
		of := b.Share(t.known.name, caller)
		share = &of
	}
	answer := message.New(share)
	for _, part := range [][]byte{known.text[:known.from], m.Envelope().ID(), known.text[known.to:]} {
		if answer.Append(part) != nil { // not reached: what is put together was scanned
			answer.Free()
			return nil
		}
	}
	if answer.End() != nil || answer.Discarded() { // there is no memory for it
		answer.Free()
		return nil
	}
	return answer
}

// Begun returns the answer that begins the conversation.
func (t *Talk) Begun() []byte { return t.answers[t.beginning()].text }

// beginning is the request that begins the conversation.
func (t *Talk) beginning() question {
	if t.modern {
		return question{method: methodDiscover}
	}
	return question{method: methodInitialize}
}

// Check compares what a process answers with what is known: begun, which it has answered already, and the
// lists, by ask. What is found decides whether the server's answers are believed from now on. Check returns the
// notifications that tell a client which lists are others, and fails with ask's error, by which nothing is
// decided.
func (t *Talk) Check(begun *message.Message, ask func(*message.Message) (*message.Message, error)) (changed []string, err error) {
	var others []string
	if q := t.beginning(); begun != nil && !same(t.answers[q], begun) {
		others = []string{q.method}
		t.settle(others) // whatever becomes of the process
	}
	for _, q := range t.lists {
		if slices.Contains(others, q.method) {
			continue // the cursor may mean nothing any more
		}
		equal, err := t.compare(q, ask)
		if err != nil {
			return nil, err
		}
		if !equal {
			others = append(others, q.method)
		}
	}
	t.settle(others)
	for _, method := range others {
		if n := Lists[method]; n != "" && !slices.Contains(changed, n) {
			changed = append(changed, n)
		}
	}
	return changed, nil
}

// Doubt says that a process could not be compared. A server that answers lists, and no call,
// would look alive.
func (t *Talk) Doubt(why string) {
	k := t.known
	k.mu.Lock()
	first := !k.others[t]
	k.others[t] = true
	k.mu.Unlock()
	if first {
		k.log.Warn("manifest not used: the server does not start", "why", why, "protocol", t.of.Version)
	}
}

func (t *Talk) compare(q question, ask func(*message.Message) (*message.Message, error)) (equal bool, err error) {
	var capabilities json.RawMessage
	if t.modern {
		capabilities = json.RawMessage("{}")
		if t.of.Capabilities != nil {
			capabilities = t.of.Capabilities
		}
	}
	request, err := message.Parse(Ask(q.method, q.cursor, capabilities))
	if err != nil {
		return false, err
	}
	answer, err := ask(request)
	if err != nil {
		return false, err
	}
	defer answer.Free()
	return same(t.answers[q], answer), nil
}

// settle notes which answers of a process in this conversation were others than is known.
func (t *Talk) settle(others []string) {
	k := t.known
	k.mu.Lock()
	before := k.proven && len(k.others) == 0
	if len(others) > 0 {
		k.others[t] = true
	} else {
		delete(k.others, t)
		k.proven = true
	}
	now := k.proven && len(k.others) == 0
	first := len(others) > 0 && len(k.others) == 1
	k.mu.Unlock()
	switch {
	case len(others) > 0 && (before || first):
		k.log.Warn("manifest not used: the server answers differently", "answers", others, "protocol", t.of.Version,
			"hint", "run mcpfunc pack or mcpfunc manifest, then publish")
	case now && !before:
		k.log.Info("manifest used again: the server answers as it says", "protocol", t.of.Version)
	}
}

// same reports whether answer is the known one except for its id.
func same(known said, answer *message.Message) bool {
	again, err := message.Parse(answer.Bytes())
	if err != nil {
		return false
	}
	defer again.Free()
	again.Splice(message.Edit{Part: message.PartID, Text: known.text[known.from:known.to]})
	return bytes.Equal(again.Bytes(), known.text)
}

// A Stateless is what one server is known to answer without sessions.
type Stateless struct{ *Known }

// Check compares what a process answers to a client without capabilities, as Talk.Check does.
func (s Stateless) Check(discovered *message.Message, ask func(*message.Message) (*message.Message, error)) error {
	if t := s.talk(); t != nil {
		_, err := t.Check(discovered, ask)
		return err
	}
	return nil
}

// Doubt says that a process could not be compared.
func (s Stateless) Doubt(why string) {
	if t := s.talk(); t != nil {
		t.Doubt(why)
	}
}

// Pages returns the answers to a list.
func (s Stateless) Pages(method string) [][]byte {
	if t := s.talk(); t != nil {
		return t.Pages(method)
	}
	return nil
}

func (s Stateless) talk() *Talk { return s.find(beginning{StatelessVersion, "{}", nil}, true) }
