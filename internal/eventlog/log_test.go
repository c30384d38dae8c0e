package eventlog_test

import (
	"bytes"
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
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// A stage is a writer and a reader, on two instances.
type stage struct {
	t    *testing.T
	data mcptest.Events
	keys *ticket.Keys
	a, b *eventlog.Log
	link *mcptest.Link // of a
	said bytes.Buffer  // in the log of a
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, keys: ticket.RandomKeys()}
	s.link = s.data.Link()
	s.a = eventlog.New(s.link, s.keys, slog.New(slog.NewTextHandler(&s.said, nil)))
	s.b = eventlog.New(s.data.Link(), s.keys, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		s.a.Close()
		s.b.Close()
	})
	return s
}

var alice = eventlog.Name{Holder: ticket.Holder{Server: "git", Principal: "alice", Client: "program"}, Session: "mcpf-1", Life: "ABC234", Stream: 3}

func event(n int) *message.Message { return sized(n, 0) }

// sized is an event with n more bytes.
func sized(n, size int) *message.Message {
	m, err := message.Parse(fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"n","params":{"n":%d,"fill":"%s"}}`, n, strings.Repeat("x", size)))
	if err != nil {
		panic(err)
	}
	return m
}

// say appends events from one number to another.
func say(st *eventlog.Stream, from, to int, last bool) {
	for n := from; n <= to; n++ {
		m := event(n)
		st.Append(n, 1, m, last && n == to)
		m.Free()
	}
}

// follow reads the rest of a stream and returns the numbers of its events, and how it ended.
func (s *stage) follow(n eventlog.Name, after int) (numbers string, err error) {
	f, err := s.b.Follow(s.t.Context(), n, after)
	for err == nil {
		var events []eventlog.Event
		events, err = f.Wait(s.t.Context())
		for _, e := range events {
			if want := string(event(e.Number).Bytes()); string(e.Bytes()) != want && e.Len() < 1<<10 {
				s.t.Errorf("event %d is %s", e.Number, e.Bytes())
			}
			numbers += fmt.Sprint(" ", e.Number)
			e.Free()
		}
	}
	return strings.TrimSpace(numbers), err
}

// logged is what a said, once it is quiet.
func (s *stage) logged() string {
	synctest.Wait()
	return s.said.String()
}

func (s *stage) want(what, numbers string, end error) func(got string, err error) {
	return func(got string, err error) {
		s.t.Helper()
		if got != numbers || !errors.Is(err, end) {
			s.t.Errorf("%s: events %q and %v, want %q and %v", what, got, err, numbers, end)
		}
	}
}

func TestReaderGetsEveryEventOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		st := s.a.Open(alice, 0)
		say(st, 1, 100, false)
		go func() {
			for n := 101; n <= 110; n++ {
				time.Sleep(40 * time.Second) // a call with progress that is slow
				say(st, n, n, n == 110)
			}
		}()
		all := make([]string, 110)
		for i := range all {
			all[i] = fmt.Sprint(i + 1)
		}
		s.want("from the beginning", strings.Join(all, " "), io.EOF)(s.follow(alice, 0))
		s.want("from the middle", "109 110", io.EOF)(s.follow(alice, 108))
		s.want("after the end", "", io.EOF)(s.follow(alice, 110))
		s.want("after what never was", "", eventlog.ErrLost)(s.follow(alice, 111))
	})
}

func TestStreamThatSaysNothingForLongIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		st := s.a.Open(alice, 0)
		time.Sleep(10 * eventlog.Kept)
		time.AfterFunc(time.Hour, func() { say(st, 1, 1, true) })
		s.want("its only event", "1", io.EOF)(s.follow(alice, 0))
		time.Sleep(eventlog.Kept + time.Second)
		s.want("once it is over for long", "", eventlog.ErrLost)(s.follow(alice, 0))
		if logs, _, _ := s.data.Held(); logs != 0 {
			t.Errorf("%d logs are kept", logs)
		}
	})
}

func TestStreamMayEndWithoutAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		st := s.a.Open(alice, 7)
		say(st, 8, 9, false)
		st.End()
		s.want("its rest", "8 9", io.EOF)(s.follow(alice, 7))
		s.want("the end", "", io.EOF)(s.follow(alice, 9))
		s.want("events from before", "", eventlog.ErrLost)(s.follow(alice, 5))
	})
}

// An instance that was killed does not say so.
func TestReaderFindsOutThatTheWriterIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		say(s.a.Open(alice, 0), 1, 3, false)
		synctest.Wait()
		s.link.SetDown(true)
		began := time.Now()
		s.want("what was written", "2 3", eventlog.ErrLost)(s.follow(alice, 1))
		if took := time.Since(began); took < 3*time.Second || took > 6*time.Second {
			t.Errorf("it took %v to find out, want as long as a writer may be silent", took)
		}
	})
}

func TestClosedLogSaysSoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		st := s.a.Open(alice, 0)
		say(st, 1, 3, false)
		s.a.Close()
		say(st, 4, 5, true) // too late
		began := time.Now()
		s.want("what was written", "2 3", eventlog.ErrLost)(s.follow(alice, 1))
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v to find out", took)
		}
	})
}

func TestEntriesAreWorthNothingElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		say(s.a.Open(alice, 0), 1, 3, true)
		synctest.Wait()
		bob := alice
		bob.Holder.Principal = "bob"
		other, later, next := alice, alice, alice
		other.Session, later.Life, next.Stream = "mcpf-2", "XYZ234", 4
		for what, n := range map[string]eventlog.Name{"of another": bob, "of another session": other, "of another life": later, "of another stream": next} {
			s.want(what, "", eventlog.ErrLost)(s.follow(n, 0))
		}
		s.b.Close()
		s.b = eventlog.New(s.data.Link(), ticket.RandomKeys(), slog.New(slog.DiscardHandler))
		s.want("with other keys", "", eventlog.ErrLost)(s.follow(alice, 0))
	})
}

// What someone does to the Store is noticed.
func TestAlteredLogIsLost(t *testing.T) {
	for what, tt := range map[string]struct {
		change  func([]eventlog.Entry) []eventlog.Entry
		numbers string
	}{
		"one is missing":   {func(e []eventlog.Entry) []eventlog.Entry { return append(e[:2:2], e[3:]...) }, "1 2"},
		"two are swapped":  {func(e []eventlog.Entry) []eventlog.Entry { e[2].Data, e[3].Data = e[3].Data, e[2].Data; return e }, "1 2"},
		"one is longer":    {func(e []eventlog.Entry) []eventlog.Entry { e[0].Data = append(e[0].Data, 'x'); return e }, ""},
		"all are gone":     {func([]eventlog.Entry) []eventlog.Entry { return nil }, ""},
		"one is nothing":   {func(e []eventlog.Entry) []eventlog.Entry { e[4].Data = nil; return e }, ""},
		"one is too short": {func(e []eventlog.Entry) []eventlog.Entry { e[1].Data = e[1].Data[:20]; return e }, "1"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				say(s.a.Open(alice, 0), 1, 5, true)
				synctest.Wait()
				s.data.Alter(tt.change)
				s.want("the log", tt.numbers, eventlog.ErrLost)(s.follow(alice, 0))
			})
		})
	}
}

func TestReaderWaitsForALogThatIsAboutToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		time.AfterFunc(500*time.Millisecond, func() { say(s.a.Open(alice, 0), 1, 1, true) })
		s.want("a late log", "1", io.EOF)(s.follow(alice, 0))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		never := alice
		never.Stream = 9
		if _, err := s.b.Follow(ctx, never, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("whose client has gone away: %v", err)
		}
	})
}
