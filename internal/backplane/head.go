package backplane

import (
	"encoding/binary"
	"net/http"
	"strconv"
)

// The heads of calls and answers are lists of texts, each after its length.

// A requestHead is what an instance forwards of an HTTP request, except for the body.
type requestHead struct {
	session   string // its name; empty for a call without a session
	owner     string // the value of the owner in Redis
	principal string
	client    string
	method    string
	target    string
	host      string
	remote    string
	length    int64 // of the body; -1 if unknown
	header    http.Header
}

func appendText(b []byte, texts ...string) []byte {
	for _, t := range texts {
		b = binary.AppendUvarint(b, uint64(len(t)))
		b = append(b, t...)
	}
	return b
}

func appendHeader(b []byte, h http.Header) []byte {
	for name, values := range h {
		for _, v := range values {
			b = appendText(b, name, v)
		}
	}
	return b
}

// texts reads a list of texts. After the first error, bad is set and every text is empty.
type texts struct {
	rest []byte
	bad  bool
}

func (t *texts) next() string {
	n, size := binary.Uvarint(t.rest)
	if size <= 0 || n > uint64(len(t.rest)-size) {
		t.bad, t.rest = true, nil
		return ""
	}
	text := string(t.rest[size : size+int(n)])
	t.rest = t.rest[size+int(n):]
	return text
}

func (t *texts) header() http.Header {
	h := http.Header{}
	for len(t.rest) > 0 {
		name := t.next()
		h[name] = append(h[name], t.next())
	}
	return h
}

func (h *requestHead) bytes() []byte {
	b := appendText(nil, h.session, h.owner, h.principal, h.client, h.method, h.target, h.host, h.remote, strconv.FormatInt(h.length, 10))
	return appendHeader(b, h.header)
}

func parseRequestHead(b []byte) (*requestHead, bool) {
	t := texts{rest: b}
	h := &requestHead{
		session: t.next(), owner: t.next(), principal: t.next(), client: t.next(),
		method: t.next(), target: t.next(), host: t.next(), remote: t.next(),
	}
	var err error
	h.length, err = strconv.ParseInt(t.next(), 10, 64)
	h.header = t.header()
	return h, !t.bad && err == nil
}

// answerHead returns the head of an answer.
func answerHead(status int, header http.Header) []byte {
	return appendHeader(appendText(nil, strconv.Itoa(status)), header)
}

func parseAnswerHead(b []byte) (status int, header http.Header, ok bool) {
	t := texts{rest: b}
	status, err := strconv.Atoi(t.next())
	header = t.header()
	return status, header, !t.bad && err == nil && status >= 200 && status < 600
}
