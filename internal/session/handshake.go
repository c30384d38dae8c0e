package session

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// handshake is what a process must be told again when it is started again: what the client said
// when the session began, and the state that it asked for since. It is guarded by the session's mu.
type handshake struct {
	asked         record         // initialize, as soon as the client has sent it
	request       record         // the same, once it was answered; empty if it was too large
	version       string         // that the server answered; "" until it has
	capabilities  []byte         // that it answered, as JSON
	digest        [8]byte        // of what else it answered; zero while that is not known
	follow        record         // notifications/initialized, once it was sent
	told          bool           // follow is ours: the client's own, if it comes, is one too many
	level         record         // the last logging/setLevel that was granted
	subscriptions []subscription // resources/subscribe that were granted, in order
}

type subscription struct {
	uri     string
	request record
}

// maxSubscriptions bounds how many subscriptions are replayed; later ones are lost by a restart.
const maxSubscriptions = 256

// Introduce returns the handshake of a session whose client does not initialize: we do it in its
// place, for this protocol version and without any capability of a client.
func introduce(version string) handshake {
	request := record(fmt.Sprintf(`{"jsonrpc":"2.0","id":"mcpfunc-0","method":"initialize","params":`+
		`{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"mcpfunc","version":"1"}}}`, version))
	return handshake{request: request, follow: initialized}
}

func (h *handshake) initialized(m *message.Message) {
	if h.follow != "" {
		return
	}
	if h.follow = recorded(m); h.follow == "" || h.follow == initialized {
		h.follow = initialized // which many clients say to the letter
	}
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

// shaken records the client's initialize and its answer.
func (s *Session) shaken(request record, answer *message.Message) {
	var a initializeResult
	if json.Unmarshal(answer.Bytes(), &a) != nil || a.Result.ProtocolVersion == "" {
		return // an error, which the client gets; there is no session then
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shake.request, s.shake.version = request, a.Result.ProtocolVersion
	s.shake.capabilities, s.shake.digest = a.Result.Capabilities, a.digest()
}

// recordState records a state that the client asked for, if it was granted.
func (s *Session) recordState(method string, request record, answer *message.Message) {
	if answer.Envelope().IsError() || request == "" {
		return
	}
	if method == "logging/setLevel" {
		s.mu.Lock()
		s.shake.level = request
		s.mu.Unlock()
		return
	}
	var asked struct {
		Params struct {
			URI string `json:"uri"`
		} `json:"params"`
	}
	if json.Unmarshal([]byte(request), &asked) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []subscription
	for _, sub := range s.shake.subscriptions {
		if sub.uri != asked.Params.URI {
			kept = append(kept, sub)
		}
	}
	if method == "resources/subscribe" && len(kept) < maxSubscriptions {
		kept = append(kept, subscription{asked.Params.URI, request})
	}
	s.shake.subscriptions = kept
}

// replay says the handshake to a fresh process, and compares what it answers. Without one it does
// nothing: the client will say it. A call is never said again: it may have had its effect.
func (s *Session) replay(r *run) error {
	s.mu.Lock()
	h := s.shake
	s.mu.Unlock()
	if h.request == "" {
		return nil
	}
	limit := max(s.server.StartTimeout, s.patience()) // who waits for it waits for as long as a start may take
	clock := time.AfterFunc(limit, func() {
		r.ended.CompareAndSwap(nil, &Failure{
			Text: "the server did not answer initialize within " + limit.String(), Reason: ReasonTimeout, Retryable: true,
			Hint: "raise timeout_seconds",
		})
		r.p.Kill()
	})
	defer clock.Stop()
	answer, err := s.ask(r, h.request)
	if err != nil {
		return err
	}
	defer answer.Free()
	if err := s.compare(answer); err != nil {
		return err
	}
	if h.follow != "" {
		follow, err := h.follow.message()
		if err != nil {
			return err
		}
		defer follow.Free()
		if err := s.write(context.Background(), r, follow); err != nil {
			return err
		}
	}
	again := h.subscriptions
	if h.level != "" {
		again = append([]subscription{{"", h.level}}, again...)
	}
	for i, sub := range again {
		answer, err := s.ask(r, sub.request)
		if err != nil {
			return err
		}
		if answer.Envelope().IsError() {
			method := "resources/subscribe"
			if i == 0 && h.level != "" {
				method = "logging/setLevel"
			}
			s.log.Warn("the restarted server refused a state that it had granted before", "method", method)
		}
		answer.Free()
	}
	return nil
}

// ask writes a request and returns its answer. What else comes in between is routed.
func (s *Session) ask(r *run, said record) (*message.Message, error) {
	request, err := said.message()
	if err != nil {
		return nil, err
	}
	defer request.Free()
	if err := s.write(context.Background(), r, request); err != nil {
		return nil, err
	}
	for {
		m, err := r.read()
		if err != nil {
			return nil, err
		}
		e := m.Envelope()
		if e.Kind() == message.Response && message.Key(e.ID()) == message.Key(request.Envelope().ID()) {
			return m, nil
		}
		s.pass(r, m)
	}
}

// compare checks a server's answer to a replayed initialize against the first one, which it records
// if there was none.
func (s *Session) compare(answer *message.Message) error {
	var a initializeResult
	if err := json.Unmarshal(answer.Bytes(), &a); err != nil {
		return &Failure{Text: "the server's answer to initialize is none: " + err.Error(), Reason: ReasonStart}
	}
	if a.Error != nil {
		return &Failure{Text: "the server refused to initialize: " + s.table.redact(a.Error.Message), Reason: ReasonStart}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &s.shake
	h.capabilities = a.Result.Capabilities
	switch {
	case h.version == "":
		h.version, h.digest = a.Result.ProtocolVersion, a.digest()
	case h.version != a.Result.ProtocolVersion:
		return &Failure{
			Text:   fmt.Sprintf("the restarted server speaks protocol version %s, and before it was %s", a.Result.ProtocolVersion, h.version),
			Reason: ReasonChanged, Retryable: true,
		}
	case h.digest == [8]byte{}:
		h.digest = a.digest()
	case h.digest != a.digest():
		s.log.Warn("the restarted server says that it is or can do other things than before")
	}
	return nil
}
