package session

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

func TestIdsOfAnotherTypeAreSaidOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := &Session{log: slog.New(slog.NewTextHandler(&log, nil))}
	s.streams = stream.NewSet(s.log)
	s.router = newRouter(s.streams)
	l := &link{s: s}
	parse := func(format string, args ...any) *message.Message {
		m, err := message.Parse(fmt.Appendf(nil, format, args...))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for i := range 5 {
		m, p := parse(`{"id":"%d","method":"a"}`, i), new(pending)
		p.fill(&s.router.listener, m.Envelope())
		s.router.add(p, m)
		m.Free()
		l.route(parse(`{"id":%d,"result":{}}`, i))
	}
	if n := strings.Count(log.String(), "changes the type of request ids"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
	r := s.streams.Listen()
	defer r.Leave()
	for i := range 5 {
		e, state := r.Take()
		if state != stream.Taken || said(e) != fmt.Sprintf(`{"id":"%d","result":{}}`, i) {
			t.Fatalf("answer %d: state %d", i, state)
		}
		e.Free()
	}
}
