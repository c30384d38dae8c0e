package remotecheck

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// revision is the one that the check speaks: sessions exist in it, and every handler serves it.
const revision = "2025-11-25"

// A session is an MCP session, over plain HTTP so that each step can be timed.
type session struct {
	c  *check
	id string // empty: the server has no sessions
}

// open initializes a session.
func (c *check) open() (*session, error) {
	s := &session{c: c}
	_, err := s.call(1, "initialize", map[string]any{
		"protocolVersion": revision, "capabilities": map[string]any{}, "clientInfo": map[string]string{"name": "mcpfunc-doctor", "version": "1"},
	})
	if err == nil {
		_, err = s.call(0, "notifications/initialized", nil)
	}
	return s, err
}

// call sends a request, or with id 0 a notification, and returns the result.
func (s *session) call(id int, method string, params any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(s.c.ctx, requestTime)
	defer cancel()
	message := map[string]any{"jsonrpc": "2.0", "method": method}
	if id != 0 {
		message["id"] = id
	}
	if params != nil {
		message["params"] = params
	}
	body, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	r, err := s.request(ctx, http.MethodPost, strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := s.c.client.Do(r)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close()
	if v := resp.Header.Get("Mcp-Session-Id"); v != "" {
		s.id = v
	}
	switch {
	case resp.StatusCode >= 400:
		return nil, refusedBy(resp)
	case id == 0:
		return nil, nil
	}
	return result(resp, id)
}

// request is one to the endpoint, within the session.
func (s *session) request(ctx context.Context, method string, body io.Reader) (*http.Request, error) {
	r, err := s.c.request(ctx, method, s.c.endpoint(), body, true)
	if err != nil {
		return nil, err
	}
	if s.id != "" {
		r.Header.Set("Mcp-Session-Id", s.id)
		r.Header.Set("Mcp-Protocol-Version", revision)
	}
	return r, nil
}

// close ends the session. That it is refused changes nothing.
func (s *session) close() {
	if s.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.c.ctx), 10*time.Second)
	defer cancel()
	if r, err := s.request(ctx, http.MethodDelete, nil); err == nil {
		if resp, err := s.c.client.Do(r); err == nil {
			resp.Body.Close()
		}
	}
}

// A refused is an answer of 400 or more.
type refused struct {
	status int
	reason string
}

func (r *refused) Error() string {
	if r.reason == "" {
		return fmt.Sprintf("HTTP %d", r.status)
	}
	return fmt.Sprintf("HTTP %d: %s", r.status, r.reason)
}

func refusedBy(resp *http.Response) error {
	r := &refused{status: resp.StatusCode}
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerBytes))
	var doc struct{ Error struct{ Message string } }
	if err == nil && json.Unmarshal(data, &doc) == nil {
		r.reason = doc.Error.Message
	}
	return r
}

// result finds the answer to a request in a body, which is one message or a stream of events.
func result(resp *http.Response, id int) (json.RawMessage, error) {
	var doc struct {
		ID     json.RawMessage
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	answer := func(data []byte) (json.RawMessage, error, bool) {
		doc.ID, doc.Result, doc.Error = nil, nil, nil
		if json.Unmarshal(data, &doc) != nil || string(doc.ID) != fmt.Sprint(id) || doc.Result == nil && doc.Error == nil {
			return nil, nil, false
		}
		if doc.Error != nil {
			return nil, errors.New(doc.Error.Message), true
		}
		return doc.Result, nil, true
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
		if err != nil {
			return nil, err
		}
		if r, err, ok := answer(data); ok {
			return r, err
		}
		return nil, errors.New("the response is not an MCP response")
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 64<<20)
	var data strings.Builder
	for lines.Scan() {
		line, isData := strings.CutPrefix(lines.Text(), "data:")
		switch {
		case isData:
			data.WriteString(strings.TrimPrefix(line, " "))
		case line == "":
			if r, err, ok := answer([]byte(data.String())); ok {
				return r, err
			}
			data.Reset()
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return nil, errors.New("the stream ended before the answer")
}

// tools opens a session and asks for the tools: the time from nothing to the first of them.
func (c *check) tools() {
	const name = "first tool"
	s, err := c.open()
	defer s.close()
	var tools struct {
		Tools []struct{ Name string }
	}
	if err == nil {
		var data json.RawMessage
		if data, err = s.call(2, "tools/list", nil); err == nil {
			err = json.Unmarshal(data, &tools)
		}
	}
	took := round(time.Since(c.started))
	if r := (*refused)(nil); errors.As(err, &r) && (r.status == http.StatusUnauthorized || r.status == http.StatusForbidden) {
		c.missing(name, `pass a key with --header "x-functions-key: …" or in $MCPFUNC_KEY, or a token with --token; "mcpfunc doctor auth" checks how a client gets one`, "%s answers %d", c.endpoint(), r.status)
		return
	}
	if err != nil {
		c.fail(name, "see the app's log; mcpfunc call shows more", "%s: %v", c.endpoint(), err)
		return
	}
	cold := "the handler was running"
	if app, _, err := c.look(); err == nil && app != nil && app.Uptime < time.Since(c.started).Seconds() {
		cold = "cold: the handler was started for it"
	}
	c.ok(name, "%d tools after %s (%s)", len(tools.Tools), took, cold)
}
