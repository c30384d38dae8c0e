package session

import (
	"context"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// prepare sets the clocks and the notes of a request that is about to be sent. mu is held.
func (s *Session) prepare(sl *slip, m *message.Message) {
	limit := s.server.CallTimeout
	switch sl.method {
	case "initialize":
		limit = s.server.StartTimeout
		asked := recorded(m)
		s.shake.asked = asked
		sl.note = func(answer *message.Message) { apart(func() { s.shaken(asked, answer) }) }
	case "logging/setLevel", "resources/subscribe", "resources/unsubscribe":
		asked := recorded(m)
		sl.note = func(answer *message.Message) { s.recordState(sl.method, asked, answer) }
	}
	if limit > 0 {
		sl.timer = time.AfterFunc(limit, func() { s.late(sl, limit) })
	}
}

// withdraw takes back slips whose request was not sent.
func (s *Session) withdraw(slips []*slip) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sl := range slips {
		if s.x.slips[sl.key] == sl {
			s.x.remove(sl)
		}
	}
}

// late is called when a request has not been answered in time.
func (s *Session) late(sl *slip, limit time.Duration) {
	if sl.method == "initialize" {
		s.startTimedOut(limit)
		return
	}
	if s.fail(sl, &Failure{
		Text: "the server did not answer within " + limit.String(), Reason: ReasonSlow, Retryable: true,
		Hint: "raise request_timeout_seconds",
	}) {
		s.tellCancelled(sl.id, "timeout")
	}
}

// fail answers one request with f. It reports false if it has been answered already.
func (s *Session) fail(sl *slip, f *Failure) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.x.slips[sl.key] != sl {
		return false
	}
	f.RestartsLeft = s.restartsLeft(time.Now())
	s.answer(sl, f.Answer([]byte(sl.id)))
	return true
}

// failAll answers every request that waits with f, and forgets what the process asked. mu is held.
func (s *Session) failAll(f *Failure) {
	for _, sl := range s.x.slips {
		s.answer(sl, f.Answer([]byte(sl.id)))
	}
	clear(s.x.asked)
}

// tellCancelled asks the process to stop working on a request.
func (s *Session) tellCancelled(id, reason string) {
	m, err := message.Parse([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` +
		id + `,"reason":"` + reason + `"}}`))
	if err != nil {
		return // not reached: the id was scanned
	}
	defer m.Free()
	s.mu.Lock()
	proc := s.now
	s.mu.Unlock()
	if proc != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stallTimeout)
		defer cancel()
		s.write(ctx, proc, m)
	}
}
