package stream

import (
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// However streams get their events and readers take them, what is kept is bounded, what the backlog knows is
// what the streams hold, and its memory does not grow with what has gone through it.
func TestBacklogKnowsWhatIsKept(t *testing.T) {
	t.Parallel()
	s := NewSet(slog.New(slog.DiscardHandler))
	random := rand.New(rand.NewPCG(1, 2))
	var streams []*Stream
	var readers []*Reader
	for range 5 {
		st := new(Stream)
		r := s.Open(st, "")
		r.Keep(nil)
		streams, readers = append(streams, st), append(readers, r)
	}
	for n := range 20 * keptEvents {
		i := random.IntN(len(streams))
		m, err := message.Parse([]byte(`{"jsonrpc":"2.0","method":"notifications/message"}`))
		if err != nil {
			t.Fatal(err)
		}
		s.Push(streams[i], m, false)
		if i > 0 || n%7 == 0 { // the first reader is slow, so that what it has not taken is passed over
			for {
				e, state := readers[i].Take()
				if state != Taken {
					break
				}
				e.Free()
			}
		}
		if n%31 > 0 { // looking at all of it takes its time
			continue
		}
		held, size := 0, 0
		for _, st := range streams {
			held += st.held()
			for number := st.first; number < st.nextLocked(); number++ {
				small, large := st.kept.event(number, st.first)
				size += Event{Message: large, small: small}.Len()
			}
		}
		if known := len(s.backlog.order) - s.backlog.head; known != held || s.backlog.bytes != size || held > keptEvents+maxBacklog*len(streams) {
			t.Fatalf("after %d events the backlog knows of %d (%d bytes), and %d (%d bytes) are held", n+1, known, s.backlog.bytes, held, size)
		}
	}
	if room := cap(s.backlog.order); room > 8*keptEvents {
		t.Errorf("the backlog has room for %d entries, and %d are kept", room, keptEvents)
	}
	s.Release()
}

func BenchmarkPushKept(b *testing.B) {
	s := NewSet(slog.New(slog.DiscardHandler))
	st := new(Stream)
	r := s.Open(st, "")
	r.Keep(nil)
	b.ReportAllocs()
	for b.Loop() {
		m, _ := message.Parse([]byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":2}}`))
		s.Push(st, m, false)
		e, _ := r.Take()
		e.Free()
	}
}
