package session

import (
	"encoding/json"
	"fmt"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// initialized is the notification that ends a handshake.
const initialized record = `{"jsonrpc":"2.0","method":"notifications/initialized"}`

// ensureInitialized ensures that a process has been told that the client is initialized before it gets
// a request: what the client said of it may have reached another instance. Once is enough, so that the
// client's own is not passed on then. Requests that come meanwhile wait for it.
func (l *link) ensureInitialized(m *message.Message) error {
	s := l.s
	if !s.table.sharing.Instances || s.initialized.Load() || m.Kind() != message.Request {
		return nil
	}
	if method := m.Envelope().Method(); method == "initialize" || method == "ping" {
		return nil // which may come before
	}
	done, first := l.beginInitialized()
	switch {
	case first:
		err := l.say(initialized)
		s.initialized.Store(true)
		close(done)
		return err
	case done != nil:
		<-done // a write ends: the process reads, or is killed
	}
	return nil
}

// beginInitialized says whether the caller is the first, which must tell the process that the client is
// initialized, and what is closed when that is done; nil if there is nothing to wait for.
func (l *link) beginInitialized() (done chan struct{}, first bool) {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch h := &s.handshake; {
	case s.initializing != nil:
	case h.confirmation != "":
		s.initialized.Store(true)
	case h.version != "":
		s.initializing, first = make(chan struct{}), true
		h.confirmation, h.confirmedByUs = initialized, true
	}
	return s.initializing, first
}

// redundant reports whether m says again what we have said in the client's place.
func (l *link) redundant(m *message.Message) bool {
	if m.Envelope().Method() != "notifications/initialized" {
		return false
	}
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.s.handshake.confirmedByUs
}

// NotifyChanged tells the client that another process has taken its session over: by what a server
// says whose lists have changed, as far as this one announced that it may, and by a log message if it
// has any. It goes to the standalone stream, and waits there for who listens.
func (s *Session) NotifyChanged() {
	var can struct {
		Tools, Prompts, Resources struct {
			ListChanged bool `json:"listChanged"`
		}
		Logging *struct{}
	}
	s.mu.Lock()
	capabilities := s.handshake.capabilities
	s.mu.Unlock()
	json.Unmarshal(capabilities, &can)
	var notices []string
	for _, list := range []struct {
		name    string
		changes bool
	}{{"tools", can.Tools.ListChanged}, {"prompts", can.Prompts.ListChanged}, {"resources", can.Resources.ListChanged}} {
		if list.changes {
			notices = append(notices, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/%s/list_changed"}`, list.name))
		}
	}
	if can.Logging != nil {
		notices = append(notices, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"warning","logger":"mcpfunc",`+
			`"data":"another process serves this session now: the server's state for it is lost"}}`)
	}
	for _, text := range notices {
		s.streams.Push(s.streams.Standalone(), message.Must([]byte(text)), false)
	}
}
