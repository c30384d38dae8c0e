package hostemu

import (
	"bytes"
	"net"
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
	atLine bool   // what comes next is a request line
	line   []byte // read and not handed on
}

// next says that a request has been answered, so that the next one begins. A request that came before
// that is left as it is.
func (m *mended) next() {
	if len(m.line) == 0 {
		m.atLine = true
	}
}

func (m *mended) Read(p []byte) (int, error) {
	if m.atLine {
		m.atLine = false
		if err := m.readLine(); err != nil {
			return 0, err
		}
	}
	if len(m.line) > 0 {
		n := copy(p, m.line)
		m.line = m.line[n:]
		return n, nil
	}
	return m.Conn.Read(p)
}

// readLine reads a request line, as far as it is allowed to be, and mends its path.
func (m *mended) readLine() error {
	buf := make([]byte, maxRequestLine)
	for n := 0; ; {
		read, err := m.Conn.Read(buf[n:])
		n += read
		end := bytes.IndexByte(buf[:n], '\n')
		if err != nil && n == 0 {
			return err
		}
		if end < 0 && n < len(buf) && err == nil {
			continue
		}
		if end < 0 {
			m.line = buf[:n]
			return nil // too long, or cut: not ours to judge; an error comes again
		}
		m.line = append(mendPercent(buf[:end]), buf[end:n]...)
		return nil
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
