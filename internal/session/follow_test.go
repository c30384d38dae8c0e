package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/stream"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// A sharer is an instance that shares events with others.
type sharer struct {
	*instance
	link  *mcptest.Link
	store *mcptest.Events
	log   *eventlog.Log
}

func newSharers(t *testing.T) (a, b *sharer) {
	t.Cleanup(func() { time.Sleep(2 * time.Second) }) // until calls notice that their process is gone
	keys, store, h := ticket.RandomKeys(), new(mcptest.Events), &hub{}
	one := func() *sharer {
		s := &sharer{link: store.Link(), store: store}
		s.log = eventlog.New(s.link, keys, slog.New(slog.DiscardHandler))
		t.Cleanup(s.log.Close) // after the table
		s.instance = newInstance(t, Sharing{Keys: keys, Instances: true, Ended: h, Events: s.log}, func(s *Server) { s.OnLost = Resurrect })
		s.server.Launch = func(context.Context, any) (process.Process, error) {
			p := mcptest.Run(func(in io.Reader, out io.Writer) error {
				mcptest.Server(in, out, io.Discard, func(int) {})
				return nil
			})
			s.mu.Lock()
			defer s.mu.Unlock()
			s.started = append(s.started, p)
			return p, nil
		}
		return s
	}
	return one(), one()
}

// A source is what events are taken from.
type source interface {
	Take() (stream.Event, stream.State)
	Ready() <-chan struct{}
}

func said(e stream.Event) string {
	var text strings.Builder
	e.WriteTo(&text)
	return text.String()
}

// take returns up to most events as "id data" lines, and what ended them: Waiting if it was most.
func take(t *testing.T, from source, most int) (lines []string, end stream.State) {
	t.Helper()
	for len(lines) < most {
		e, state := from.Take()
		switch state {
		case stream.Taken:
			lines = append(lines, string(e.AppendID(nil))+" "+said(e))
			e.Free()
			if e.Last {
				return lines, stream.Ended
			}
		case stream.Waiting:
			select {
			case <-from.Ready():
			case <-time.After(time.Hour):
				t.Fatalf("nothing comes after %q", lines)
			}
		default:
			return lines, state
		}
	}
	return lines, stream.Waiting
}

// begin opens a session on s and makes a call with as many notifications, one a second, as an SSE
// answer gives it. It returns the session's id and what was taken of the stream before it was cut.
func (s *sharer) begin(count, most int) (id string, taken []string) {
	s.t.Helper()
	id = s.initialize("u")
	in, err := s.table.Find(s.opening("u", id).key())
	if err != nil {
		s.t.Fatal(err)
	}
	defer in.Leave()
	m, err := message.Parse([]byte(tool(7, "progress", fmt.Sprintf(`"count":%d,"ms":1000`, count))))
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := in.Send(s.t.Context(), []*message.Message{m}, OnStream)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Leave()
	r.Keep(nil)
	taken, _ = take(s.t, r, most)
	return id, taken
}

// last is the event id of the last of these lines.
func last(t *testing.T, lines []string) stream.EventID {
	t.Helper()
	id, _, _ := strings.Cut(lines[len(lines)-1], " ")
	e, err := stream.ParseEventID(id)
	if err != nil {
		t.Fatalf("%q: %v", id, err)
	}
	return e
}

// steps are the numbers of progress notifications, or "answer", of these lines.
func steps(lines []string) string {
	var all []string
	for _, line := range lines {
		if _, n, ok := strings.Cut(line, `"progress":`); ok {
			all = append(all, strings.Trim(n, "}"))
		} else if strings.Contains(line, `"id":7,"result"`) {
			all = append(all, "answer")
		} else {
			all = append(all, line)
		}
	}
	return strings.Join(all, " ")
}

func TestStreamGoesOnAtAnotherInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharers(t)
		id, taken := a.begin(10, 3)
		for _, most := range []int{2, 4, 100} { // each time its connection is cut
			f, err := b.table.Follow(t.Context(), b.opening("u", id), last(t, taken))
			if err != nil {
				t.Fatal(err)
			}
			more, _ := take(t, f, most)
			f.Leave()
			taken = append(taken, more...)
		}
		if got, want := steps(taken), "0 1 2 3 4 5 6 7 8 9 answer"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for i, line := range taken {
			if want := fmt.Sprintf("2-%d-", i+1); !strings.HasPrefix(line, want) {
				t.Errorf("event %d is %s", i+1, line)
			}
		}
		if n := len(b.processes()); n != 0 {
			t.Errorf("%d processes were started to follow a stream", n)
		}
		f, err := b.table.Follow(t.Context(), b.opening("u", id), last(t, taken))
		if err != nil {
			t.Fatal(err)
		}
		if more, end := take(t, f, 1); len(more) != 0 || end != stream.Ended || !f.Whole() || f.Protocol() != "2025-11-25" {
			t.Errorf("after the end there is %q, %v", more, end)
		}
		f.Leave()
	})
}

// A client that resumes before anything has happened has the id of no event.
func TestStreamGoesOnFromItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharers(t)
		id, taken := a.begin(3, 1)
		e := last(t, taken)
		e.Sequence = 0
		f, err := b.table.Follow(t.Context(), b.opening("u", id), e)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Leave()
		more, _ := take(t, f, 100)
		if got := steps(more); got != "0 1 2 answer" {
			t.Errorf("got %s", got)
		}
	})
}

// Where the session is already, on another instance than the stream, the same holds.
func TestStreamGoesOnInASessionThatWasTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharers(t)
		id, taken := a.begin(5, 2)
		s, err := b.table.TakeOver(t.Context(), b.opening("u", id))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Leave()
		if _, err := s.Resume(last(t, taken)); err != stream.ErrElsewhere {
			t.Fatal(err)
		}
		f, err := s.Follow(t.Context(), last(t, taken))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Leave()
		more, _ := take(t, f, 100)
		if got := steps(more); got != "2 3 4 answer" {
			t.Errorf("got %s", got)
		}
	})
}

func TestLostStreamIsAnsweredAndNothingIsLeftOutBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharers(t)
		id, taken := a.begin(1000, 3)
		time.Sleep(3500 * time.Millisecond)
		a.link.SetDown(true) // killed, as far as b can see
		f, err := b.table.Follow(t.Context(), b.opening("u", id), last(t, taken))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Leave()
		more, end := take(t, f, 100)
		answer := more[len(more)-1]
		if got := steps(more[:len(more)-1]); got != "3 4 5" || end != stream.Ended {
			t.Errorf("got %s, then %v", got, end)
		}
		if !strings.Contains(answer, `"id":7,"error"`) || !strings.Contains(answer, `"reason":"stream_lost"`) {
			t.Errorf("answered with %s", answer)
		}
	})
}

func TestStreamIsNobodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharers(t)
		id, taken := a.begin(5, 2)
		e := last(t, taken)
		program := b.opening("u", id)
		program.Client = "another"
		for what, o := range map[string]Opening{
			"another principal": b.opening("v", id), "another program": program, "nobody": b.opening("", id), "plain": b.opening("u", mint()),
		} {
			if f, err := b.table.Follow(t.Context(), o, e); err != ErrUnknown {
				t.Errorf("%s: %v, %v", what, f, err)
			}
		}
		other := b.opening("u", a.initialize("u"))
		if _, err := b.table.Follow(t.Context(), other, e); err != stream.ErrElsewhere {
			t.Errorf("in another session of the same principal: %v", err)
		}
		e.Life = "AAAAAA"
		if _, err := b.table.Follow(t.Context(), b.opening("u", id), e); err != stream.ErrElsewhere {
			t.Errorf("in a life that never was: %v", err)
		}
	})
}

func TestStreamOfADeletedSessionIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharers(t)
		id, taken := a.begin(1000, 2)
		follow := func() (*stream.Follower, error) {
			return b.table.Follow(t.Context(), b.opening("u", id), last(t, taken))
		}
		f, err := follow()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Leave()
		time.AfterFunc(5*time.Second, func() { b.table.Delete(t.Context(), b.opening("u", id)) })
		more, end := take(t, f, 100)
		if answer := more[len(more)-1]; end != stream.Ended || !strings.Contains(answer, `"reason":"session_closed"`) {
			t.Errorf("who follows it got %s", answer)
		}
		if _, err := follow(); err != ErrUnknown {
			t.Errorf("and then: %v", err)
		}
	})
}

// A call whose instance shuts down is answered, and the answer is there when the instance is not.
func TestAnswerOutlivesItsInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharers(t)
		id, taken := a.begin(1000, 2)
		time.Sleep(2 * time.Second)
		a.table.Close()
		a.log.Close()
		f, err := b.table.Follow(t.Context(), b.opening("u", id), last(t, taken))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Leave()
		more, end := take(t, f, 100)
		if answer := more[len(more)-1]; end != stream.Ended || !wholeAfter(t, f) || !strings.Contains(answer, `"reason":"session_closed"`) {
			t.Errorf("got %q", more)
		}
	})
}

// wholeAfter is Whole once f has said Ended.
func wholeAfter(t *testing.T, f *stream.Follower) bool {
	_, end := take(t, f, 1)
	return end == stream.Ended && f.Whole()
}

func TestStoreThatIsDownChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharers(t)
		id, taken := a.begin(5, 2)
		b.link.SetDown(true)
		if _, err := b.table.Follow(t.Context(), b.opening("u", id), last(t, taken)); err != stream.ErrElsewhere {
			t.Errorf("a reader without the store: %v", err)
		}
		a.link.SetDown(true)
		began := time.Now()
		if _, taken = a.begin(300, 300); steps(taken[299:]) != "299" || time.Since(began) > 301*time.Second {
			t.Errorf("a stream without the store came to %s after %v", steps(taken[299:]), time.Since(began))
		}
	})
}

// The log of a session's streams is bounded as what the session keeps is.
func TestLogsHoldWhatTheSessionHolds(t *testing.T) {
	const keptEvents = 1024
	synctest.Test(t, func(t *testing.T) {
		store, keys := new(mcptest.Events), ticket.RandomKeys()
		log := eventlog.New(store.Link(), keys, slog.New(slog.DiscardHandler))
		t.Cleanup(log.Close)
		in := newInstance(t, Sharing{Keys: keys, Instances: true, Events: log}, nil)
		s, err := in.table.Find(in.opening("u", in.initialize("u")).key())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Leave()
		for i := range 3 * keptEvents {
			m, err := message.Parse([]byte(tool(i, "a", "")))
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Send(t.Context(), []*message.Message{m}, OnStream)
			if err != nil {
				t.Fatal(err)
			}
			r.Keep(nil)
			take(t, r, 1)
			r.Leave()
			if i%100 == 0 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(time.Second)
		logs, entries, _ := store.Held()
		if logs != keptEvents || entries != keptEvents {
			t.Errorf("%d logs with %d entries, want %d: what the session keeps", logs, entries, keptEvents)
		}
	})
}

// What a client has missed of the standalone stream it gets, and learns whether that is all.
func TestStandaloneStreamIsReplayedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharers(t)
		id := a.initialize("u")
		s, err := a.table.Find(a.opening("u", id).key())
		if err != nil {
			t.Fatal(err)
		}
		changed := func(n int) {
			for i := range n {
				if _, err := a.call(s, tool(10+i, "changed", "")); err != nil {
					t.Fatal(err)
				}
			}
		}
		changed(2)
		r := s.Listen()
		r.Keep(nil)
		taken, _ := take(t, r, 1)
		r.Leave()
		changed(3)
		synctest.Wait()
		replay := func() (events int, whole bool) {
			f, err := b.table.Follow(t.Context(), b.opening("u", id), last(t, taken))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Leave()
			more, end := take(t, f, 100)
			if end != stream.Ended {
				t.Errorf("it ends with %v", end)
			}
			return len(more), f.Whole()
		}
		if n, whole := replay(); n != 4 || whole {
			t.Errorf("while it goes on: %d events, whole %t; want 4 and that more may come", n, whole)
		}
		s.Leave()
		s.Evict()
		synctest.Wait()
		if n, whole := replay(); n != 4 || !whole {
			t.Errorf("once it has ended: %d events, whole %t; want 4 and nothing lost", n, whole)
		}
	})
}

// An instance that shuts down does not wait for streams of others.
func TestFollowerEndsWithItsTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharers(t)
		id, taken := a.begin(1000, 2)
		f, err := b.table.Follow(t.Context(), b.opening("u", id), last(t, taken))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Leave()
		time.AfterFunc(5500*time.Millisecond, b.table.Close)
		more, end := take(t, f, 100)
		if got := steps(more); !strings.HasPrefix(got, "2 3 4 5") || end != stream.Ended || f.Whole() {
			t.Errorf("got %s, then %v, whole %t", got, end, f.Whole())
		}
	})
}

func TestPlainSessionsShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newSharers(t)
		s, err := a.table.Open(t.Context(), Opening{Server: a.server, Principal: "u", Version: "2025-11-25", ID: "chosen"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Leave()
		r := s.Listen()
		r.Keep(nil)
		time.Sleep(time.Second)
		if logs, _, _ := a.store.Held(); logs != 0 {
			t.Error("events of a session that no other instance knows are written")
		}
		if _, err := s.Follow(t.Context(), stream.EventID{Stream: 1, Life: "AAAAAA"}); !errors.Is(err, stream.ErrElsewhere) {
			t.Error(err)
		}
		r.Leave()
	})
}
