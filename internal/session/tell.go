package session

import (
	"encoding/json"
	"fmt"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// initialized is the notification that ends a handshake.
const initialized record = `{"jsonrpc":"2.0","method":"notifications/initialized"}`

// TellChanged tells the client that another process has taken its session over: by what a server
// says whose lists have changed, as far as this one announced that it may, and by a log message if it
// has any. It goes to the standalone stream, and waits there for who listens.
func (s *Session) TellChanged() {
	var can struct {
		Tools, Prompts, Resources struct {
			ListChanged bool `json:"listChanged"`
		}
		Logging *struct{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	json.Unmarshal(s.shake.capabilities, &can)
	for _, list := range []struct {
		name    string
		changes bool
	}{{"tools", can.Tools.ListChanged}, {"prompts", can.Prompts.ListChanged}, {"resources", can.Resources.ListChanged}} {
		if list.changes {
			s.say(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/%s/list_changed"}`, list.name))
		}
	}
	if can.Logging != nil {
		s.say(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"warning","logger":"mcpfunc",` +
			`"data":"another process serves this session now: what the server remembered of it is gone"}}`)
	}
}

// say puts a message of ours on the standalone stream. mu is held.
func (s *Session) say(text string) {
	m, err := message.Parse([]byte(text))
	if err != nil {
		panic(err) // it is a constant
	}
	s.standalone.push(m)
}

// greet sees to it that a process has been told that the client is initialized before it gets a
// request: what the client said of it may have reached another instance. Once is enough, so that the
// client's own is not passed on then. Requests that come meanwhile wait for it.
func (s *Session) greet(r *run, m *message.Message) error {
	if !s.table.travel.Shared || s.greeted.Load() || m.Kind() != message.Request {
		return nil
	}
	if method := m.Envelope().Method(); method == "initialize" || method == "ping" {
		return nil // which may come before
	}
	s.mu.Lock()
	greeting, first := s.greeting, false
	switch {
	case greeting != nil:
	case s.shake.follow != "":
		s.greeted.Store(true)
	case s.shake.version != "":
		greeting, first = make(chan struct{}), true
		s.greeting, s.shake.follow, s.shake.told = greeting, initialized, true
	}
	follow := s.shake.follow
	s.mu.Unlock()
	if first {
		said, err := follow.message()
		if err == nil {
			err = s.write(s.ctx, r, said)
			said.Free()
		}
		s.greeted.Store(true)
		close(greeting)
		return err
	}
	if greeting != nil {
		<-greeting // a write ends: the process reads, or is killed
	}
	return nil
}

// repeats reports whether m says again what we have said in the client's place.
func (s *Session) repeats(m *message.Message) bool {
	if m.Envelope().Method() != "notifications/initialized" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shake.told
}
