package hostemu

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
	"sync"
	"time"
)

// A client speaks HTTP/1.1 to the handler as .NET's SocketsHttpHandler does, which net/http's client
// does not: it sends the whole body before it reads a byte of the answer, so that the answer of a
// handler that closes early is lost with the connection, and it repeats nothing by itself.
type client struct {
	mu   sync.Mutex
	idle map[string][]*link // by address
}

// Figures of SocketsHttpHandler.
const (
	maxIdleLinks = 256
	dialTimeout  = 15 * time.Second
	expectWait   = time.Second // for "100 Continue"
)

// An exchange is one request to the handler.
type exchange struct {
	method  string
	address string
	target  string
	header  http.Header
	body    io.Reader // nil for none
	length  int64     // of the body; negative means chunks
	content bool      // has a body, or a header that speaks of one
	spent   bool      // some of the body was read: it cannot be sent again
}

// errUnanswered is a connection that ended before the first byte of an answer.
var errUnanswered = errors.New("the handler closed the connection without an answer")

// A link is a connection to the handler.
type link struct {
	net.Conn
	read *bufio.Reader
	gone chan error // while idle: takes what ended the wait for a byte
}

// send sends a request and returns the head of the answer; reading the body to its end lets the
// connection be used again. The end of ctx cuts it, body included.
func (c *client) send(ctx context.Context, x *exchange) (*http.Response, error) {
	l, err := c.take(ctx, x.address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	resp, err := l.exchange(x)
	if err != nil {
		stop()
		l.Close()
		return nil, causeOr(ctx, err)
	}
	body := &linkBody{ReadCloser: resp.Body, link: l, stop: stop}
	if !resp.Close {
		body.keep = func() { c.keep(x.address, l) }
	}
	resp.Body = body
	return resp, nil
}

// exchange writes the request and then reads the head of the answer.
func (l *link) exchange(x *exchange) (*http.Response, error) {
	w := bufio.NewWriter(l)
	fmt.Fprintf(w, "%s %s HTTP/1.1\r\nHost: %s\r\n", x.method, x.target, x.address)
	if err := x.header.Write(w); err != nil {
		return nil, err
	}
	switch {
	case x.body != nil && x.length < 0:
		fmt.Fprint(w, "Transfer-Encoding: chunked\r\n")
	case x.body != nil:
		fmt.Fprintf(w, "Content-Length: %d\r\n", x.length)
	case x.saysEmpty():
		fmt.Fprint(w, "Content-Length: 0\r\n")
	}
	fmt.Fprint(w, "\r\n")
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	if x.body != nil {
		if strings.EqualFold(x.header.Get("Expect"), "100-continue") {
			if resp, err := l.expected(x); resp != nil || err != nil {
				return resp, err
			}
		}
		x.spent = true
		if err := x.writeBody(l, w); err != nil {
			return nil, fmt.Errorf("send the body: %w", err)
		}
	}
	return l.answer(x)
}

// saysEmpty reports whether .NET states the length of no body: but for these methods it always does.
func (x *exchange) saysEmpty() bool {
	switch x.method {
	case http.MethodGet, http.MethodHead, http.MethodConnect, http.MethodOptions, http.MethodDelete:
		return x.content
	}
	return true
}

func (x *exchange) writeBody(l *link, w *bufio.Writer) error {
	if x.length >= 0 {
		_, err := io.CopyN(l, x.body, x.length)
		return err
	}
	chunks := httputil.NewChunkedWriter(w)
	buf := make([]byte, 32<<10)
	for {
		n, err := x.body.Read(buf)
		if n > 0 {
			if _, err := chunks.Write(buf[:n]); err != nil {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := chunks.Close(); err != nil {
		return err
	}
	fmt.Fprint(w, "\r\n")
	return w.Flush()
}

// expected waits a second for what the handler says before the body. Only an answer ends the exchange:
// that is the one case in which an early answer is seen.
func (l *link) expected(x *exchange) (*http.Response, error) {
	if err := l.SetReadDeadline(time.Now().Add(expectWait)); err != nil {
		return nil, err
	}
	_, err := l.read.Peek(1)
	if reset := l.SetReadDeadline(time.Time{}); reset != nil {
		return nil, reset
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, nil
	}
	resp, err := l.head(x)
	if err != nil || resp.StatusCode == http.StatusContinue {
		return nil, err
	}
	resp.Close = true // the handler may still wait for the body
	return resp, nil
}

// answer reads the head of the answer, past those that are for information.
func (l *link) answer(x *exchange) (*http.Response, error) {
	for {
		resp, err := l.head(x)
		if err != nil || resp.StatusCode >= http.StatusOK || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
}

func (l *link) head(x *exchange) (*http.Response, error) {
	if _, err := l.read.Peek(1); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	return http.ReadResponse(l.read, &http.Request{Method: x.method})
}

// take returns an idle connection, or a new one.
func (c *client) take(ctx context.Context, address string) (*link, error) {
	for {
		c.mu.Lock()
		links := c.idle[address]
		if len(links) == 0 {
			c.mu.Unlock()
			break
		}
		l := links[len(links)-1]
		c.idle[address] = links[:len(links)-1]
		c.mu.Unlock()
		if l.wake() {
			return l, nil
		}
		l.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, causeOr(ctx, err)
	}
	return &link{Conn: conn, read: bufio.NewReader(conn)}, nil
}

// keep puts a connection aside, and watches it for its end.
func (c *client) keep(address string, l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle[address]) >= maxIdleLinks {
		l.Close()
		return
	}
	if c.idle == nil {
		c.idle = map[string][]*link{}
	}
	l.gone = make(chan error, 1)
	go func() { // until wake or closeIdle, which wait for it
		_, err := l.read.Peek(1)
		l.gone <- err
	}()
	c.idle[address] = append(c.idle[address], l)
}

// wake ends the watch and reports whether the connection is as it was left.
func (l *link) wake() bool {
	if l.SetReadDeadline(time.Now()) != nil {
		<-l.gone
		return false
	}
	return errors.Is(<-l.gone, os.ErrDeadlineExceeded) && l.SetReadDeadline(time.Time{}) == nil
}

// closeIdle closes the connections that are not in use, and waits for their watches.
func (c *client) closeIdle() {
	c.mu.Lock()
	all := c.idle
	c.idle = nil
	c.mu.Unlock()
	for _, links := range all {
		for _, l := range links {
			l.Close()
			<-l.gone
		}
	}
}

// linkBody is the body of an answer. Its end gives the connection back; closing it before ends both.
type linkBody struct {
	io.ReadCloser
	link *link
	stop func() bool
	keep func() // nil where the connection must not be used again
	done bool
}

func (b *linkBody) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.done = true
		if b.stop() && b.keep != nil {
			b.keep()
		} else {
			b.link.Close()
		}
	}
	return n, err
}

func (b *linkBody) Close() error {
	if b.done {
		return nil
	}
	b.done = true
	b.stop()
	return b.link.Close()
}
