package stream

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

func newTestSet() *Set { return NewSet(slog.New(slog.DiscardHandler)) }

func parse(t *testing.T, n int) *message.Message {
	t.Helper()
	m, err := message.Parse(fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"m%d"}`, n))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// push pushes messages with these numbers.
func push(t *testing.T, s *Set, st *Stream, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		s.Push(st, parse(t, n), false)
	}
}

func method(e Event) string {
	var text bytes.Buffer
	e.WriteTo(&text)
	m := message.Must(text.Bytes())
	defer m.Free()
	return m.Envelope().Method()
}

// held is how many events of the stream are held.
func (st *Stream) held() int { return st.nextLocked() - st.first }

// read takes all that is there, and says where that ends.
func read(r *Reader) (got string, end State) {
	var methods []string
	for {
		e, state := r.Take()
		if state != Taken {
			return strings.Join(methods, " "), state
		}
		methods = append(methods, method(e))
		e.Free()
	}
}

func TestReaderGetsEverythingOnceAndInOrder(t *testing.T) {
	t.Parallel()
	s, st := newTestSet(), new(Stream)
	r := s.Open(st, "1")
	push(t, s, st, 1, 2)
	if got, end := read(r); got != "m1 m2" || end != Waiting {
		t.Errorf("got %q, then %d", got, end)
	}
	s.Push(st, parse(t, 3), true)
	if e, state := r.Take(); state != Taken || !e.Last || e.HasID() {
		t.Errorf("the last event: %+v, %d", e, state)
	}
	if got, end := read(r); got != "" || end != Ended {
		t.Errorf("then %q, %d", got, end)
	}
	r.Leave()
}

func TestKeptStreamIsResumed(t *testing.T) {
	t.Parallel()
	s, st := newTestSet(), new(Stream)
	r := s.Open(st, "7")
	push(t, s, st, 1, 2)
	first, _ := r.Take()
	before, err := ParseEventID(r.Keep([]Event{first}))
	if err != nil || before.Sequence != 0 || before.Request != "7" {
		t.Fatalf("%+v, %v", before, err)
	}
	if got, _ := read(r); got != "m1 m2" {
		t.Errorf("what was given back came as %q", got)
	}
	r.Leave()
	push(t, s, st, 3)
	at := EventID{Stream: before.Stream, Sequence: 1, Life: s.life}
	back, err := s.Resume(at)
	if err != nil {
		t.Fatal(err)
	}
	if got, end := read(back); got != "m2 m3" || end != Waiting {
		t.Errorf("resumed: %q, then %d", got, end)
	}
	if again, err := s.Resume(at); err != nil {
		t.Error(err)
	} else if _, end := read(back); end != Cut {
		t.Errorf("the connection before is in state %d", end)
	} else {
		again.Leave()
	}
	for name, tt := range map[string]struct {
		id   EventID
		want error
	}{
		"a stream that never was": {EventID{Stream: 9, Life: s.life}, ErrEventID},
		"an event that never was": {EventID{Stream: before.Stream, Sequence: 9, Life: s.life}, ErrEventID},
		"another life":            {EventID{Stream: before.Stream, Life: "AAAAAA"}, ErrElsewhere},
	} {
		if _, err := s.Resume(tt.id); err != tt.want {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestOldestListenersAreCutOff(t *testing.T) {
	t.Parallel()
	s := newTestSet()
	var all []*Reader
	for range maxParked + 3 {
		all = append(all, s.Listen())
	}
	for i, r := range all {
		want := Waiting
		if i < 2 {
			want = Cut
		}
		if _, state := r.Take(); state != want {
			t.Errorf("listener %d: %d, want %d", i, state, want)
		}
		r.Leave()
	}
}

func TestListenerThatIsCutOffIsSucceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestSet()
		older, newer := s.Listen(), s.Listen()
		for n := range maxBacklog + 1 {
			push(t, s, s.Standalone(), n)
		}
		held := make(chan bool)
		go func() { held <- s.Hold(t.Context(), s.Standalone()) }()
		time.Sleep(stallTimeout + time.Second)
		if _, state := newer.Take(); state != Cut {
			t.Errorf("the one that does not read: %d", state)
		}
		if got, end := read(older); !strings.HasPrefix(got, "m0 m1 ") || end != Waiting {
			t.Errorf("the one that waits gets %.20q, then %d", got, end)
		}
		if !<-held {
			t.Error("the writer does not hear of it")
		}
		newer.Leave()
		older.Leave()
	})
}

func TestNewestListenerIsServed(t *testing.T) {
	t.Parallel()
	s := newTestSet()
	push(t, s, s.Standalone(), 1)
	older := s.Listen()
	if got, _ := read(older); got != "m1" {
		t.Errorf("what came before: %q", got)
	}
	newer := s.Listen()
	push(t, s, s.Standalone(), 2)
	if got, end := read(older); got != "" || end != Waiting {
		t.Errorf("the older: %q, %d", got, end)
	}
	if got, _ := read(newer); got != "m2" {
		t.Errorf("the newer: %q", got)
	}
	newer.Leave()
	push(t, s, s.Standalone(), 3)
	if got, _ := read(older); got != "m3" {
		t.Errorf("the older, alone: %q", got)
	}
	s.End()
	if _, end := read(older); end != Ended {
		t.Errorf("at the end: %d", end)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	s, first, second := newTestSet(), new(Stream), new(Stream)
	for _, st := range []*Stream{first, second} {
		r := s.Open(st, "")
		r.Keep(nil)
		r.Leave()
	}
	push(t, s, first, 1)
	for n := range keptEvents {
		push(t, s, second, n)
	}
	if first.held() != 0 || second.held() != keptEvents {
		t.Errorf("%d and %d events are kept", first.held(), second.held())
	}
	if _, err := s.Resume(EventID{Stream: 1, Life: s.life}); err != ErrGap {
		t.Errorf("what fell out: %v, want %v", err, ErrGap)
	}
}

// A reader that does not read at all makes who pushes wait, and is cut off.
func TestReaderThatDoesNotReadIsCutOff(t *testing.T) {
	for _, keep := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, st := newTestSet(), new(Stream)
			r := s.Open(st, "")
			if keep {
				r.Keep(nil)
			}
			n := 0
			for ; !st.behindLocked(); n++ {
				push(t, s, st, n)
			}
			start := time.Now()
			if !s.Hold(t.Context(), st) || time.Since(start) != stallTimeout {
				t.Errorf("not cut off, after %v and %d events", time.Since(start), n)
			}
			if n != maxBacklog+1 {
				t.Errorf("held after %d events", n)
			}
			if _, state := r.Take(); state != Cut {
				t.Errorf("the reader is in state %d", state)
			}
			if kept := st.held() > 0; kept != keep {
				t.Errorf("kept for one who comes back: %t, want %t", kept, keep)
			}
			if start = time.Now(); s.Hold(t.Context(), st) || time.Since(start) != 0 {
				t.Error("a stream without a reader is waited for")
			}
		})
	}
}

func TestReaderThatReadsIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newTestSet(), new(Stream)
		r := s.Open(st, "")
		go func() {
			for {
				time.Sleep(time.Second)
				e, state := r.Take()
				if state != Taken {
					return
				}
				e.Free()
			}
		}()
		for n := range 2 * maxBacklog {
			push(t, s, st, n)
			if s.Hold(t.Context(), st) {
				t.Fatal("a slow reader was cut off")
			}
			if st.held() > maxBacklog+1 {
				t.Fatalf("%d events are held", st.held())
			}
		}
		s.Finish(st)
		time.Sleep(time.Hour)
	})
}
