package streamhttp

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// bodyTimeout is how long the body of a POST may take, from when its head was there.
const bodyTimeout = time.Minute

// A body is the body of a POST that comes in time. One that trickles in holds a connection and no more than that, and
// not for ever; one that has memory of the Budget has to go on coming.
type body struct {
	io.Reader
	w        http.ResponseWriter
	m        *message.Message // that it is read into
	end      time.Time        // when all of it has to be there
	told     time.Time        // the deadline that was set
	progress message.Progress
	slow     bool // it was for the next piece
}

// fill reads the body into m. Once it is there, net/http takes the deadline back, to see whether the client goes away.
func (q *request) fill(m *message.Message) error {
	b := &q.content
	*b = body{Reader: q.r.Body, w: q.w, m: m, end: q.began.Add(bodyTimeout)}
	if !q.end.IsZero() && q.end.Before(b.end) {
		b.end = q.end
	}
	b.within(b.end)
	return m.Fill(b.Read, q.MaxBody)
}

// within sets the deadline for reading, unless it is about the one that is set. HTTP/2 and test recorders have none.
func (b *body) within(at time.Time) {
	if at.Sub(b.told).Abs() > time.Second {
		_ = http.NewResponseController(b.w).SetReadDeadline(at)
		b.told = at
	}
}

func (b *body) Read(p []byte) (int, error) {
	if left, limited := b.progress.Left(b.m); limited {
		at := time.Now().Add(left)
		if b.slow = at.Before(b.end); !b.slow {
			at = b.end
		}
		b.within(at)
	}
	return b.Reader.Read(p)
}

// tooLate says what was not there in time.
func (b *body) tooLate() string {
	if b.slow {
		return "less than 64 KiB of the body arrived within " + message.ProgressTime.String()
	}
	return "the body did not arrive within " + bodyTimeout.String()
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json"
}

// takesContent reports whether the body of a POST is of a kind that is read. It has answered when it is not.
func (q *request) takesContent() bool {
	if !isJSON(q.r.Header.Get("Content-Type")) {
		q.refuse(http.StatusUnsupportedMediaType, codeInvalid, "Content-Type must be application/json")
		return false
	}
	for _, coding := range q.r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") {
			q.w.Header().Set("Accept-Encoding", "identity") // RFC 9110, section 15.5.16
			q.refuse(http.StatusUnsupportedMediaType, codeInvalid, "Content-Encoding must be identity or omitted")
			return false
		}
	}
	return true
}

// body reads and checks the message of a POST. It has answered when it returns nil.
func (q *request) body() *message.Message {
	if !q.takesContent() {
		return nil
	}
	if q.r.ContentLength > q.MaxBody {
		q.tooLarge()
		return nil
	}
	m := message.New(&q.share)
	err := q.fill(m)
	if err == nil && m.IsContainer() {
		return m
	}
	var large *message.TooLargeError
	var syntax *message.SyntaxError
	switch {
	case errors.As(err, &large):
		q.tooLarge()
	case errors.Is(err, message.ErrNoMemory):
		q.w.Header().Set("Retry-After", "5")
		q.refuse(http.StatusServiceUnavailable, codeInternal, err.Error())
	case errors.Is(err, os.ErrDeadlineExceeded):
		q.w.Header().Set("Connection", "close")
		q.refuse(http.StatusRequestTimeout, codeInvalid, q.content.tooLate())
	case errors.Is(err, message.ErrEncoding):
		q.refuse(http.StatusBadRequest, codeParse, "the body must be JSON in UTF-8: "+err.Error())
	case err == nil || errors.As(err, &syntax) || errors.Is(err, message.ErrUnfinished) || errors.Is(err, message.ErrMember):
		text := "the body is not a JSON-RPC message"
		if err != nil {
			text += ": " + err.Error()
		}
		q.refuse(http.StatusBadRequest, codeParse, text)
	default:
		q.refuse(http.StatusBadRequest, codeParse, "the body could not be read")
	}
	m.Free()
	return nil
}

func (q *request) tooLarge() {
	q.w.Header().Set("Connection", "close")
	q.refuse(http.StatusRequestEntityTooLarge, codeInvalid, "the body is larger than "+strconv.FormatInt(q.MaxBody, 10)+" bytes")
}
