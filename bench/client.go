package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
)

// patience is how long one answer may take.
const patience = 30 * time.Second

// A client opens sessions over HTTP.
type client struct {
	addr   string // host:port
	path   string
	choose bool // choose the ids of sessions, instead of taking what the server says
	asHost bool // send what the Functions host sends: more headers, and the body by itself
}

// A session is one MCP session of any contender.
type session interface {
	// list asks for the tools, as clients do first.
	list() error
	// drive keeps lanes calls in flight until the time has come.
	drive(j job, lanes int, name string, until time.Time, r *record)
	// rest closes what the client itself holds open while it has nothing to say.
	rest()
	// close ends it.
	close() error
}

// httpSession is a session over HTTP, with one connection a lane. The first opened it.
type httpSession struct {
	*client
	id    string
	post  []byte // head of a request, up to its length
	conns []*conn
}

// introduction is what a client says first.
const introduction = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`

var protocolVersion = regexp.MustCompile(`"protocolVersion": ?"([0-9-]+)"`)

// hostHeaders are those that the host adds to a request, as seen behind its front.
const hostHeaders = "X-Azure-Functions-HostVersion: 4.1052.200.0\r\nX-Azure-Functions-InvocationId: d6aa57b1-9702-4973-8f97-c0f190d52132\r\n" +
	"x-ms-invocation-id: d6aa57b1-9702-4973-8f97-c0f190d52132\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: app.azurewebsites.net\r\nX-Forwarded-Proto: https\r\n"

func (c *client) headOf(method, session, version string) []byte {
	h := method + " " + c.path + " HTTP/1.1\r\nHost: " + c.addr + "\r\nContent-Type: application/json\r\n" +
		"Accept: application/json, text/event-stream\r\n"
	if session != "" {
		h += "Mcp-Session-Id: " + session + "\r\n"
	}
	if version != "" {
		h += "Mcp-Protocol-Version: " + version + "\r\n"
	}
	if c.asHost {
		h += hostHeaders
	}
	return []byte(h + "Content-Length: ")
}

// open opens a session.
func (c *client) open() (session, error) {
	s := &httpSession{client: c}
	first, err := dial(c.addr)
	if err != nil {
		return nil, err
	}
	s.conns = []*conn{first}
	if c.choose {
		s.id = rand.Text()
	}
	answer, h, err := s.ask(c.headOf("POST", s.id, ""), introduction)
	if err != nil {
		first.Close()
		return nil, fmt.Errorf("initialize: %w", err)
	}
	version := protocolVersion.FindStringSubmatch(answer)
	if version == nil {
		first.Close()
		return nil, fmt.Errorf("initialize: the answer is %.200q", answer)
	}
	if !c.choose {
		s.id = h.session
	}
	s.post = c.headOf("POST", s.id, version[1])
	if _, _, err := s.ask(s.post, `{"jsonrpc":"2.0","method":"notifications/initialized"}`); err != nil {
		first.Close()
		return nil, fmt.Errorf("notifications/initialized: %w", err)
	}
	return s, nil
}

// ask sends one request over the first connection and returns the answer's text.
func (s *httpSession) ask(head []byte, body string) (answer string, h response, err error) {
	c, err := s.conns[0].fresh(s.addr)
	if err != nil {
		return "", h, err
	}
	s.conns[0] = c
	c.SetDeadline(time.Now().Add(patience))
	defer c.SetDeadline(time.Time{})
	if err := c.send(head, []byte(body)); err != nil {
		return "", h, err
	}
	if h, err = c.head(); err != nil {
		return "", h, err
	}
	var text bytes.Buffer
	take := func(p []byte) { text.Write(p) }
	if h.events {
		e := &events{part: take, end: func() { text.WriteByte('\n') }}
		take = e.take
	}
	if err := c.body(h, take); err != nil {
		return "", h, err
	}
	if h.status < 200 || h.status > 299 {
		return "", h, statusError(h.status, text.String())
	}
	return text.String(), h, nil
}

func statusError(status int, body string) error {
	return fmt.Errorf("HTTP %d: %.120s", status, strings.TrimSpace(body))
}

func (s *httpSession) list() error {
	answer, _, err := s.ask(s.post, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	if err == nil && !strings.Contains(answer, `"progress"`) {
		err = fmt.Errorf("the answer is %.200q", answer)
	}
	if err != nil {
		return fmt.Errorf("tools/list: %w", err)
	}
	return nil
}

// rest closes the connections: the Functions host keeps a few for everybody, none a session.
func (s *httpSession) rest() {
	for _, c := range s.conns {
		c.Close()
		c.used = time.Time{}
	}
}

// close ends the session. A server that does not take DELETE says so with 405, which is its right.
func (s *httpSession) close() error {
	defer func() {
		for _, c := range s.conns {
			c.Close()
		}
	}()
	if s.id == "" {
		return nil
	}
	_, h, err := s.ask(s.headOf("DELETE", s.id, ""), "")
	if err != nil && h.status != 405 {
		return fmt.Errorf("end the session: %w", err)
	}
	return nil
}

func (s *httpSession) drive(j job, lanes int, name string, until time.Time, r *record) {
	for i := range lanes {
		var c *conn
		var err error
		if i < len(s.conns) {
			c, err = s.conns[i].fresh(s.addr)
		} else if c, err = dial(s.addr); err == nil {
			s.conns = append(s.conns, nil)
		}
		if err != nil {
			r.failed(err)
			return
		}
		s.conns[i] = c
	}
	var all sync.WaitGroup
	records := make([]record, lanes)
	for i := range lanes {
		all.Go(func() {
			l := lane{session: s, conn: s.conns[i]}
			l.drive(newCall(j, i, fmt.Sprintf("%s.%d", name, i)), until, &records[i])
			s.conns[i] = l.conn
		})
	}
	all.Wait()
	for i := range records {
		r.add(&records[i])
	}
}

// A lane is one connection with one call in flight.
type lane struct {
	session *httpSession
	conn    *conn
	in      inbox
	events  events
}

func (l *lane) drive(c *call, until time.Time, r *record) {
	l.events = events{part: l.in.part, end: l.in.end}
	for now := time.Now(); now.Before(until) && r.errors() < maxErrors; {
		c.next()
		l.in.expect(c)
		err := l.do(c)
		end := time.Now()
		r.call(c, &l.in, end.Sub(now), err)
		if now = end; err != nil {
			// The connection is in an unknown state.
			l.conn.Close()
			if l.conn, err = dial(l.session.addr); err != nil {
				r.failed(err)
				return
			}
		}
	}
}

func (l *lane) do(c *call) error {
	l.conn.SetDeadline(time.Now().Add(patience))
	l.conn.apart = l.session.asHost
	if err := l.conn.send(l.session.post, c.body); err != nil {
		return err
	}
	h, err := l.conn.head()
	if err != nil {
		return err
	}
	if h.status != 200 {
		var text bytes.Buffer
		err := l.conn.body(h, func(p []byte) { text.Write(p[:min(len(p), 200)]) })
		return errors.Join(statusError(h.status, text.String()), err)
	}
	if !h.events {
		if err := l.conn.body(h, l.in.part); err != nil {
			return err
		}
		l.in.end()
		return l.in.done()
	}
	l.events.start, l.events.known, l.events.some = l.events.start[:0], false, false
	if err := l.conn.body(h, l.events.take); err != nil {
		return err
	}
	return l.in.done()
}
