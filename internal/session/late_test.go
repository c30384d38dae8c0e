package session

import (
	"log/slog"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

func TestLateAnswersAreBounded(t *testing.T) {
	t.Parallel()
	l := newRouter(stream.NewSet(slog.New(slog.DiscardHandler))).late
	for i := range 3 * maxLate {
		l.Put(strconv.Itoa(i), struct{}{}, time.Time{})
		l.Put("again and again", struct{}{}, time.Time{})
	}
	ids := maps.Collect(l.All)
	if len(ids) > maxLate {
		t.Errorf("%d ids, want at most %d", len(ids), maxLate)
	}
	_, last := ids[strconv.Itoa(3*maxLate-1)]
	_, again := ids["again and again"]
	if !last || !again {
		t.Error("the newest is forgotten")
	}
	if _, oldest := ids["0"]; oldest {
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
	late := maps.Collect(s.router.late.All)
	if _, first := late["1"]; !first || len(late) != 1 || len(s.router.pending) != 0 {
		t.Errorf("late: %v, pending: %d", late, len(s.router.pending))
	}
}
