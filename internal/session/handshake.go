package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// handshake is what a process must be told again when it is started again: what the client said
// when the session began, and the state that it asked for since. It is guarded by the session's mu.
type handshake struct {
	asked         record    // initialize, as soon as the client has sent it
	since         time.Time // when that was
	request       record    // the same, once it was answered; empty if it was too large
	version       string    // that the server answered; "" until it has
	capabilities  []byte    // that it answered, as JSON
	digest        [8]byte   // of what else it answered; zero while that is not known
	confirmation  record    // notifications/initialized, once it was sent
	confirmedByUs bool      // confirmation is ours: the client's own, if it comes, is one too many
	granted       []granted // what the client asked for since and got, in order
}

// A granted is a state that was granted: the last logging/setLevel, or the last resources/subscribe of a URI.
type granted struct {
	method, uri string
	request     record
}

// maxSubscriptions bounds how many subscriptions are replayed; later ones are lost by a restart.
const maxSubscriptions = 256

// introduce returns the handshake of a session whose client does not initialize: we do it in its
// place, for this protocol version and without any capability of a client.
func introduce(version string) handshake {
	request := record(fmt.Sprintf(`{"jsonrpc":"2.0","id":"mcpfunc-0","method":"initialize","params":`+
		`{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":%q,"version":%q}}}`, version, ourselves.Name, ourselves.Version))
	return handshake{request: request, confirmation: initialized}
}

func (h *handshake) confirm(m *message.Message) {
	if h.confirmation != "" {
		return
	}
	if h.confirmation = recorded(m); h.confirmation == "" || h.confirmation == initialized {
		h.confirmation = initialized // which many clients say to the letter
	}
}

// noteAsked notes what the client says to begin s, which its id may have to say before the
// process has heard it.
func noteAsked(s *Session, messages []*message.Message) {
	if !s.sealable || len(messages) != 1 || messages[0].Kind() != message.Request || messages[0].Envelope().Method() != "initialize" {
		return
	}
	request := recorded(messages[0])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handshake.asked, s.handshake.since = request, time.Now()
}

// initializeResult is what we read of the answer to initialize.
type initializeResult struct {
	Result struct {
		ProtocolVersion string          `json:"protocolVersion"`
		Capabilities    json.RawMessage `json:"capabilities"`
		ServerInfo      json.RawMessage `json:"serverInfo"`
	} `json:"result"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// recordInitialize records the client's initialize and its answer.
func (l *link) recordInitialize(request record, answer *message.Message) {
	var a initializeResult
	if json.Unmarshal(answer.Bytes(), &a) != nil || a.Result.ProtocolVersion == "" {
		return // an error, which the client gets; there is no session then
	}
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	h := &l.s.handshake
	h.request, h.version = request, a.Result.ProtocolVersion
	l.s.known.noteBegunLocked(answer)
	h.capabilities, h.digest = a.Result.Capabilities, a.digest()
}

// recordState records a state that the client asked for, if it was granted.
func (l *link) recordState(method string, request record, answer *message.Message) {
	if answer.Envelope().IsError() {
		return
	}
	var asked struct {
		Params struct {
			URI string `json:"uri"`
		} `json:"params"`
	}
	if json.Unmarshal([]byte(request), &asked) != nil { // or it was too large for a record
		return
	}
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.s.handshake.grant(method, asked.Params.URI, request)
}

// grant notes a state, in place of the one that it replaces or ends; an empty request cannot be said again. Who replays
// the handshake may hold the list: it gets another.
func (h *handshake) grant(method, uri string, request record) {
	level := method == "logging/setLevel"
	var kept []granted
	for _, g := range h.granted {
		if level != (g.method == "logging/setLevel") || !level && uri != g.uri {
			kept = append(kept, g)
		}
	}
	if request != "" && (level || method == "resources/subscribe" && len(kept) < maxSubscriptions) {
		kept = append(kept, granted{method, uri, request})
	}
	h.granted = kept
}

// stateless reports whether the process was told nothing but who the client is.
func (h *handshake) stateless() bool { return len(h.granted) == 0 }

// replay says the handshake to a fresh process, and compares what it answers. Without one it does
// nothing: the client will say it. A call is never said again: it may have had its effect.
func (l *link) replay() error {
	l.s.mu.Lock()
	h := l.s.handshake
	l.s.mu.Unlock()
	if h.request == "" {
		return nil
	}
	spec := l.s.server.Spec
	stop := l.KillAfter(max(spec.StartTimeout, l.s.table.starter.Patience(spec)), "initialize") // as long as a start may take
	defer stop()
	answer, err := l.ask(h.request)
	if err != nil {
		return err
	}
	defer answer.Free()
	if err := l.compare(answer); err != nil {
		if f, ok := errors.AsType[*child.Failure](err); ok {
			l.s.known.doubt(f, answer)
		}
		return err
	}
	if h.confirmation != "" {
		if err := l.say(h.confirmation); err != nil {
			return err
		}
		if err := l.s.known.check(l, answer); err != nil {
			return err
		}
	}
	for _, g := range h.granted {
		answer, err := l.ask(g.request)
		if err != nil {
			return err
		}
		if answer.Envelope().IsError() {
			l.s.log.Warn("restarted server refused a request that it accepted before", "method", g.method)
		}
		answer.Free()
	}
	return nil
}

// ask writes a request and returns its answer. What else comes in between is routed.
func (l *link) ask(request record) (*message.Message, error) {
	m := request.message()
	defer m.Free()
	return l.Ask(m, l.pass)
}

// say writes a notification.
func (l *link) say(notification record) error {
	m := notification.message()
	defer m.Free()
	return l.write(context.Background(), m)
}

// compare checks a server's answer to a replayed initialize against the first one, which it records
// if there was none.
func (l *link) compare(answer *message.Message) error {
	var a initializeResult
	if err := json.Unmarshal(answer.Bytes(), &a); err != nil {
		return &child.Failure{Text: "invalid answer to initialize: " + err.Error(), Reason: child.ReasonStart}
	}
	if a.Error != nil {
		return &child.Failure{Text: "the server refused to initialize: " + l.s.table.starter.Redact(l.s.Caller, a.Error.Message), Reason: child.ReasonStart}
	}
	l.s.mu.Lock()
	different, err := l.s.handshake.match(&a)
	l.s.mu.Unlock()
	if different {
		l.s.log.Warn("restarted server announces another identity or other capabilities")
	}
	return err
}

// match compares what a process answers with what the first one did, which it records if there was no earlier answer,
// and reports whether it is or can do other things. Another protocol version is an error.
func (h *handshake) match(a *initializeResult) (different bool, err error) {
	h.capabilities = a.Result.Capabilities
	switch {
	case h.version == "":
		h.version, h.digest = a.Result.ProtocolVersion, a.digest()
	case h.version != a.Result.ProtocolVersion:
		return false, &child.Failure{
			Text:   fmt.Sprintf("the restarted server speaks protocol version %s; before, it spoke %s", a.Result.ProtocolVersion, h.version),
			Reason: child.ReasonChanged, Retryable: true,
		}
	case h.digest == [8]byte{}:
		h.digest = a.digest()
	default:
		different = h.digest != a.digest()
	}
	return different, nil
}

// digest tells servers apart by what they say that they are and can do.
func (r *initializeResult) digest() [8]byte {
	var b bytes.Buffer
	for _, part := range []json.RawMessage{r.Result.Capabilities, r.Result.ServerInfo} {
		if json.Compact(&b, part) != nil {
			b.WriteString("null")
		}
		b.WriteByte('\n')
	}
	return ticket.Digest(b.Bytes())
}
