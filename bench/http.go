package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// A conn is a connection that is kept for one HTTP request after another. It is written for this
// load, so that the client costs little beside what it measures, and it is the same for everybody.
// It is used by one goroutine.
type conn struct {
	net.Conn
	used  time.Time // when a response was last complete
	out   []byte
	apart bool // head and body are sent by two writes
	buf   []byte
	lo    int // buf[lo:hi] is read and not used
	hi    int
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, used: time.Now(), buf: make([]byte, 64<<10)}, nil
}

// keptFor is how long an idle connection is used again without asking: servers close theirs after a
// few seconds.
const keptFor = time.Second

// fresh returns c, or a new connection to addr if c may have been closed by now.
func (c *conn) fresh(addr string) (*conn, error) {
	if time.Since(c.used) < keptFor {
		return c, nil
	}
	c.Close()
	return dial(addr)
}

// A response is the head of one, as far as it matters here.
type response struct {
	status  int
	length  int64 // of the body; -1 when it is chunked
	events  bool  // the body is a stream of server-sent events
	session string
}

// send sends a request whose head is complete but for the length, which comes last.
func (c *conn) send(head, body []byte) error {
	c.out = append(c.out[:0], head...)
	c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
	c.out = append(c.out, "\r\n\r\n"...)
	if c.apart {
		if _, err := c.Write(c.out); err != nil {
			return err
		}
		_, err := c.Write(body)
		return err
	}
	if len(body) <= 4<<10 {
		_, err := c.Write(append(c.out, body...))
		return err
	}
	parts := net.Buffers{c.out, body}
	_, err := parts.WriteTo(c.Conn)
	return err
}

// line returns the next line without its end. It is valid until the next read.
func (c *conn) line() ([]byte, error) {
	for searched := c.lo; ; {
		if i := bytes.IndexByte(c.buf[searched:c.hi], '\n'); i >= 0 {
			line := c.buf[c.lo : searched+i]
			c.lo = searched + i + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		if c.lo > 0 {
			c.hi = copy(c.buf, c.buf[c.lo:c.hi])
			c.lo = 0
		}
		if searched = c.hi; c.hi == len(c.buf) {
			return nil, errors.New("the head of the response has a line without end")
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

func (c *conn) fill() error {
	n, err := c.Read(c.buf[c.hi:])
	c.hi += n
	if n > 0 {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// head reads the head of a response.
func (c *conn) head() (h response, err error) {
	line, err := c.line()
	if err != nil {
		return h, err
	}
	if len(line) < 12 || string(line[:7]) != "HTTP/1." {
		return h, fmt.Errorf("the response begins with %.40q", line)
	}
	h.status, _ = strconv.Atoi(string(line[9:12]))
	for {
		if line, err = c.line(); err != nil {
			return h, err
		}
		if len(line) == 0 {
			return h, nil
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimSpace(value)
		switch len(name) { // of the names that matter
		case len("content-length"):
			if bytes.EqualFold(name, []byte("content-length")) {
				h.length, err = strconv.ParseInt(string(value), 10, 64)
			} else if bytes.EqualFold(name, []byte("mcp-session-id")) {
				h.session = string(value)
			}
		case len("content-type"):
			if bytes.EqualFold(name, []byte("content-type")) {
				h.events = bytes.HasPrefix(value, []byte("text/event-stream"))
			}
		case len("transfer-encoding"):
			if bytes.EqualFold(name, []byte("transfer-encoding")) {
				h.length = -1
			}
		}
		if err != nil {
			return h, err
		}
	}
}

// body reads the body of a response and hands it to take, part by part.
func (c *conn) body(h response, take func([]byte)) error {
	defer func() { c.used = time.Now() }()
	if h.length >= 0 {
		return c.parts(h.length, take)
	}
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		digits, _, _ := bytes.Cut(line, []byte{';'})
		size, err := strconv.ParseInt(string(bytes.TrimSpace(digits)), 16, 64)
		if err != nil {
			return fmt.Errorf("a chunk begins with %.40q", line)
		}
		if err := c.parts(size, take); err != nil {
			return err
		}
		if end, err := c.line(); err != nil || len(end) > 0 {
			return errors.Join(err, errors.New("a chunk is longer than it says"))
		}
		if size == 0 {
			return nil
		}
	}
}

// parts reads size bytes.
func (c *conn) parts(size int64, take func([]byte)) error {
	for size > 0 {
		if c.lo == c.hi {
			c.lo, c.hi = 0, 0
			if err := c.fill(); err != nil {
				return err
			}
		}
		n := min(size, int64(c.hi-c.lo))
		take(c.buf[c.lo : c.lo+int(n)])
		c.lo += int(n)
		size -= n
	}
	return nil
}
