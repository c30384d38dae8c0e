package hostemu

import (
	"bytes"
	"net"
	"net/http"
	"regexp"
	"sync/atomic"
)

// mending is a listener whose connections take request targets that net/http refuses and the host's
// server does not: those with a percent sign that begins no escape, which stands for itself.
type mending struct{ net.Listener }

func (m mending) Accept() (net.Conn, error) {
	conn, err := m.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &mended{Conn: conn, atLine: true}, nil
}

// A mended connection holds a request line back until it is whole. Its methods are called by one
// goroutine at a time, as net/http does.
type mended struct {
	net.Conn
	broken atomic.Bool // to be reset, not closed
	atLine bool        // what comes next should be a request line
	ready  []byte      // read and not handed on
}

// next says that a request has been answered, so that the next one begins. What was sent before that
// net/http has already read.
func (m *mended) next() { m.atLine = len(m.ready) == 0 }

// Close ends the connection by a reset when an answer on it was cut.
func (m *mended) Close() error {
	if tcp, ok := m.Conn.(*net.TCPConn); ok && m.broken.Load() {
		_ = tcp.SetLinger(0) // only how the end looks
	}
	return m.Conn.Close()
}

type connKey struct{}

// abort ends a request's connection by a reset, and does not return.
func abort(r *http.Request) {
	if m, ok := r.Context().Value(connKey{}).(*mended); ok {
		m.broken.Store(true)
	}
	panic(http.ErrAbortHandler)
}

func (m *mended) Read(p []byte) (int, error) {
	if m.atLine {
		m.atLine = false
		if err := m.readLine(); err != nil {
			return 0, err
		}
	}
	if len(m.ready) > 0 {
		n := copy(p, m.ready)
		m.ready = m.ready[n:]
		return n, nil
	}
	return m.Conn.Read(p)
}

// requestLine is how one begins. A client that does not wait for answers may have sent half a request
// before: the rest of that is not a head, and passes as it is.
var requestLine = regexp.MustCompile(`^[A-Za-z]+ /`)

// readLine reads a request line, as far as it is allowed to be, and mends its path.
func (m *mended) readLine() error {
	buf := make([]byte, maxRequestLine)
	for n := 0; ; {
		read, err := m.Conn.Read(buf[n:])
		n += read
		if n == 0 {
			return err
		}
		m.ready = buf[:n] // an error comes again
		if !requestLine.Match(m.ready) {
			return nil
		}
		if end := bytes.IndexByte(m.ready, '\n'); end >= 0 {
			m.ready = append(mendPercent(buf[:end]), buf[end:n]...)
			return nil
		}
		if err != nil || n == len(buf) {
			return nil // cut, or too long: not ours to judge
		}
	}
}

// mendPercent escapes what is no escape in the path of a request line.
func mendPercent(line []byte) []byte {
	path, query, hasQuery := bytes.Cut(line, []byte("?"))
	var mended []byte
	for i, c := range path {
		mended = append(mended, c)
		if _, ok := unescape(string(path[i:min(i+3, len(path))])); c == '%' && !ok {
			mended = append(mended, "25"...)
		}
	}
	if hasQuery {
		mended = append(append(mended, '?'), query...)
	}
	return mended
}
