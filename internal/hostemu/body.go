package hostemu

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// inMemory is how much of a body the host keeps in memory while it reads it whole.
const inMemory = 30 << 10 // bytes

// A body is a request's body that was read whole.
type body struct {
	io.Reader
	file *os.File // nil when all of it is in memory
}

// takeBody reads a body with a Content-Length to its end, as the host does before the function runs:
// what binds the request looks for values in it. It must be closed.
func takeBody(r *http.Request, limit int64) (*body, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	if r.ContentLength <= inMemory {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("read the request's body: %w", err)
		}
		return &body{Reader: bytes.NewReader(data)}, nil
	}
	file, err := os.CreateTemp("", "hostemu-body-")
	if err != nil {
		return nil, fmt.Errorf("keep the request's body: %w", err)
	}
	_ = os.Remove(file.Name()) // where that works it is gone with its last user
	b := &body{Reader: file, file: file}
	if _, err := io.Copy(file, r.Body); err != nil {
		b.Close()
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		b.Close()
		return nil, fmt.Errorf("keep the request's body: %w", err)
	}
	return b, nil
}

func (b *body) Close() {
	if b.file != nil {
		b.file.Close()
		_ = os.Remove(b.file.Name()) // which could not be done while it was open
	}
}

// An upload is a chunked body on its way to the handler. It counts what the frames of the chunks
// take, as the host does: at least a line and an end for each piece.
type upload struct {
	body     io.Reader
	left     int64
	moved    func()
	tooLarge func()
	ended    atomic.Bool // nothing is to be read any more
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.body.Read(p)
	if err != nil {
		u.ended.Store(true)
	}
	if n > 0 {
		u.moved()
		u.left -= int64(n + len(strconv.FormatInt(int64(n), 16)) + len("\r\n\r\n"))
	}
	if u.left < 0 {
		u.tooLarge()
		return 0, errTooLarge
	}
	return n, err
}

// drainWait is how long the host's server reads on after an answer, for the connection's sake.
const drainWait = 5 * time.Second

// finish answers with a status and no body, and then reads what is left of the request, within
// reason: a connection that is closed over unread bytes is reset, and the client may never see the
// answer.
func finish(w http.ResponseWriter, r *http.Request, status int) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
	if r.ContentLength == 0 {
		return
	}
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // only HTTP/1 needs telling
	_ = control.Flush()
	_ = control.SetReadDeadline(time.Now().Add(drainWait))
	_, _ = io.Copy(io.Discard, r.Body) // whatever it ends with
}
