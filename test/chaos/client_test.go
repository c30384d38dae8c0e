//go:build chaos

package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// errNoSession says that the session has ended: a client reinitializes.
var errNoSession = errors.New("404: there is no such session")

// client is an MCP client that knows the wire and nothing more.
type client struct {
	url    string // of one server
	http   *http.Client
	header http.Header // of every request; nil for none
}

// newClient returns a client of a server of h. Its connections are its own.
func newClient(h *handler, server string) *client {
	return &client{url: h.url + "/api/mcp/" + server, http: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 1024, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	}}}
}

// leave closes what is idle of the client's connections.
func (c *client) leave() { c.http.CloseIdleConnections() }

// do sends one request. Every answer but 200 and 202 is an error.
func (c *client) do(ctx context.Context, method, session, resume, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, text/event-stream")
	if method == http.MethodGet {
		req.Header.Set("Accept", "text/event-stream")
	}
	req.Header.Set("Content-Type", "application/json")
	for name, values := range c.header {
		req.Header[name] = values
	}
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
		req.Header.Set("Mcp-Protocol-Version", version)
	}
	if resume != "" {
		req.Header.Set("Last-Event-Id", resume)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return resp, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, errNoSession
	}
	text, _ := io.ReadAll(resp.Body)
	return nil, fmt.Errorf("HTTP %d: %s", resp.StatusCode, text)
}

const version = "2025-11-25"

// session is one MCP session of a client. It may be used by many goroutines.
type session struct {
	*client
	id  string
	ids atomic.Int64
}

// open initializes a session.
func (c *client) open(ctx context.Context) (*session, error) {
	resp, err := c.do(ctx, http.MethodPost, "", "", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"`+
		version+`","capabilities":{},"clientInfo":{"name":"chaos","version":"1"}}}`)
	if err != nil {
		return nil, fmt.Errorf("initialize: %w", err)
	}
	a := newAnswer(resp, "0")
	defer a.close()
	m, err := a.rest()
	if err == nil && m.Error != nil {
		err = m.Error
	}
	if err != nil {
		return nil, fmt.Errorf("initialize: %w", err)
	}
	s := &session{client: c, id: resp.Header.Get("Mcp-Session-Id")}
	if s.id == "" {
		return nil, errors.New("initialize: no session id")
	}
	return s, s.notify(ctx, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

func (s *session) notify(ctx context.Context, body string) error {
	resp, err := s.do(ctx, http.MethodPost, s.id, "", body)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// end deletes the session.
func (s *session) end(ctx context.Context) error {
	resp, err := s.do(ctx, http.MethodDelete, s.id, "", "")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// begin calls a tool, and returns once the answer has begun.
func (s *session) begin(ctx context.Context, tool string, args arguments) (*answer, error) {
	arguments, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	return s.request(ctx, "tools/call", fmt.Sprintf(`"name":%q,"arguments":%s,`, tool, arguments))
}

// request sends a request. params are members of its params, each with a comma after it.
func (s *session) request(ctx context.Context, method, params string) (*answer, error) {
	id := s.ids.Add(1)
	resp, err := s.do(ctx, http.MethodPost, s.id, "", fmt.Sprintf(
		`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s"_meta":{"progressToken":%d}}}`, id, method, params, id))
	if err != nil {
		return nil, err
	}
	return newAnswer(resp, fmt.Sprint(id)), nil
}

// call calls a tool and waits for all of the answer.
func (s *session) call(ctx context.Context, tool string, args arguments) (message, error) {
	a, err := s.begin(ctx, tool, args)
	if err != nil {
		return message{}, err
	}
	defer a.close()
	return a.rest()
}

// say is call for an answer that is a text, and nothing else.
func (s *session) say(ctx context.Context, tool string, args arguments) (string, error) {
	m, err := s.call(ctx, tool, args)
	if err != nil {
		return "", fmt.Errorf("%s: %w", tool, err)
	}
	if m.Error != nil {
		return "", fmt.Errorf("%s: %w", tool, m.Error)
	}
	return m.text(), nil
}

// resume goes on with an answer whose connection was lost.
func (s *session) resume(ctx context.Context, a *answer) (*answer, error) {
	resp, err := s.do(ctx, http.MethodGet, s.id, a.last, "")
	if err != nil {
		return nil, err
	}
	return newAnswer(resp, a.id), nil
}

// listen opens the session's standalone stream.
func (s *session) listen(ctx context.Context) (*answer, error) {
	resp, err := s.do(ctx, http.MethodGet, s.id, "", "")
	if err != nil {
		return nil, err
	}
	return newAnswer(resp, ""), nil
}

// message is one message of a server, or of the handler in its place.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	} `json:"result"`
	Error *callError `json:"error"`
	raw   string
}

// callError is a JSON-RPC error.
type callError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Reason string `json:"reason"`
	} `json:"data"`
}

func (e *callError) Error() string { return fmt.Sprintf("%d %s: %s", e.Code, e.Data.Reason, e.Message) }

func (m message) text() string {
	if len(m.Result.Content) == 0 {
		return ""
	}
	return m.Result.Content[0].Text
}

// answer is what comes back on one HTTP request: one JSON body, or a stream of events.
type answer struct {
	id   string // of the request, as JSON
	body io.Closer
	in   *bufio.Reader
	sse  bool
	last string // id of the newest event
}

func newAnswer(resp *http.Response, id string) *answer {
	return &answer{
		id: id, body: resp.Body, in: bufio.NewReader(resp.Body),
		sse: strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"),
	}
}

func (a *answer) close() { a.body.Close() }

// errEnd says that an answer ended before it was there.
var errEnd = errors.New("the answer ended before it was there")

// errOther says that the answer has another request's id.
var errOther = errors.New("the answer has another id")

// next returns the next message. The last one is that which answers the request.
func (a *answer) next() (message, error) {
	var m message
	if !a.sse {
		all, err := io.ReadAll(a.in)
		if err != nil {
			return m, err
		}
		if len(all) == 0 {
			return m, errEnd
		}
		return a.parse(string(all))
	}
	for {
		line, err := a.in.ReadString('\n')
		if err == io.EOF {
			return m, errEnd
		}
		if err != nil {
			return m, err
		}
		line = strings.TrimSuffix(line, "\n")
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			a.last = id
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok && data != "" {
			return a.parse(data)
		}
	}
}

func (a *answer) parse(text string) (message, error) {
	m := message{raw: text}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("%w: %.200s", err, text)
	}
	if m.Method == "" && string(m.ID) != a.id {
		return m, fmt.Errorf("%w: %s for %s: %.200s", errOther, m.ID, a.id, text)
	}
	return m, nil
}

// rest reads to the answer itself.
func (a *answer) rest() (message, error) {
	for {
		m, err := a.next()
		if err != nil || m.Method == "" {
			return m, err
		}
	}
}
