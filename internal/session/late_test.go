package session

import (
	"log/slog"
	"strconv"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

func TestLateAnswersAreBounded(t *testing.T) {
	t.Parallel()
	var l late
	for i := range 3 * maxLate {
		l.add(strconv.Itoa(i))
		l.add("again and again")
	}
	if len(l.ids) > maxLate || len(l.order) > maxLate {
		t.Errorf("%d ids and %d in order, want at most %d", len(l.ids), len(l.order), maxLate)
	}
	if last := strconv.Itoa(3*maxLate - 1); !l.has(last) || !l.has("again and again") {
		t.Error("the newest is forgotten")
	}
	if l.has("0") {
		t.Error("the oldest is not forgotten")
	}
}

// The client of a batch goes away while it is written.
func TestWhatWasSentBeforeItWasTakenBackMayStillBeAnswered(t *testing.T) {
	t.Parallel()
	s := &Session{router: newRouter(stream.NewSet(slog.New(slog.DiscardHandler)))}
	var requests []*pending
	for _, text := range []string{`{"id":1,"method":"a"}`, `{"id":2,"method":"a"}`} {
		m, err := message.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		p := new(pending)
		p.fill(new(post), m.Envelope())
		s.router.add(p, m)
		requests = append(requests, p)
		m.Free()
	}
	(&link{s: s}).withdraw(t.Context(), requests, 1)
	if !s.router.late.has("1") || s.router.late.has("2") || len(s.router.pending) != 0 {
		t.Errorf("late: %v, pending: %d", s.router.late.ids, len(s.router.pending))
	}
}
