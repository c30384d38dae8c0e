package eventlog_test

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
)

// While the Store is away, what is said waits, and is written once it is back.
func TestEventsOfAnOutageAreMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		st := s.a.Open(alice, 0)
		synctest.Wait()
		s.link.SetDown(true)
		say(st, 1, 50, false)
		time.Sleep(time.Minute)
		if said := s.logged(); strings.Count(said, "cannot write events") != 1 {
			t.Errorf("logged %q, want one line about the outage", said)
		}
		s.link.SetDown(false)
		say(st, 51, 52, true)
		time.Sleep(time.Minute)
		if said := s.logged(); strings.Count(said, "written again") != 1 {
			t.Errorf("logged %q, want one line about its end", said)
		}
		s.want("the rest", "50 51 52", io.EOF)(s.follow(alice, 49))
	})
}

// A stream that had to be given up has no log, and others go on.
func TestStreamWithoutRoomIsGivenUpAndNoOther(t *testing.T) {
	for name, tt := range map[string]struct{ size, events int }{
		"too many bytes":         {3 << 20, 7},
		"too many events":        {0, 5200}, // those that may wait, and those on their way
		"an event of many bytes": {eventlog.MaxEvent, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				quiet := alice
				quiet.Stream++
				a, other := s.a.Open(alice, 0), s.a.Open(quiet, 0)
				say(a, 1, 2, false)
				say(other, 1, 1, false)
				synctest.Wait()
				s.link.SetDown(true)
				for n := range tt.events {
					m := sized(3+n, tt.size)
					a.Append(3+n, 1, m, false)
					m.Free()
				}
				say(other, 2, 2, true)
				time.Sleep(5 * time.Second)
				s.link.SetDown(false)
				time.Sleep(time.Minute)
				s.want("the one that was given up", "", eventlog.ErrLost)(s.follow(alice, 1))
				s.want("the other", "1 2", io.EOF)(s.follow(quiet, 0))
				if said := s.logged(); !strings.Contains(said, "streams no longer written") || !strings.Contains(said, "streams=1 ") {
					t.Errorf("logged %q", said)
				}
				say(a, 10_000, 10_000, true)
				s.want("it is not taken up again", "", eventlog.ErrLost)(s.follow(alice, 1))
			})
		})
	}
}

// Who follows a stream that is given up under its eyes is told so.
func TestReaderOfAStreamThatIsGivenUpIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		st := s.a.Open(alice, 0)
		say(st, 1, 2, false)
		time.AfterFunc(time.Minute, func() {
			m := sized(3, eventlog.MaxEvent)
			defer m.Free()
			st.Append(3, 1, m, true)
		})
		s.want("the rest", "1 2", eventlog.ErrLost)(s.follow(alice, 0))
	})
}

// The log holds what its stream holds.
func TestLogForgetsWhatItsStreamForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		st := s.a.Open(alice, 0)
		for n := 1; n <= 100; n++ {
			m := event(n)
			st.Append(n, max(1, n-9), m, false)
			m.Free()
			synctest.Wait()
		}
		if _, entries, _ := s.data.Held(); entries != 10 {
			t.Errorf("%d entries, want those that are worth keeping: 10", entries)
		}
		s.want("events that are gone", "", eventlog.ErrLost)(s.follow(alice, 89))
		for _, first := range []int{96, 99, 101, 101} {
			st.Trim(first)
		}
		time.Sleep(time.Second)
		if _, entries, _ := s.data.Held(); entries != 1 {
			t.Errorf("%d entries, want the newest, which says how far the log has come", entries)
		}
		say(st, 101, 101, true)
		s.want("the rest", "101", io.EOF)(s.follow(alice, 100))
		st.Drop()
		st.Trim(102)
		time.Sleep(time.Second)
		if logs, _, _ := s.data.Held(); logs != 0 {
			t.Errorf("%d logs, want none", logs)
		}
	})
}

func TestManyEventsGoInFewRoundTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.link.Delay = time.Millisecond
		say(s.a.Open(alice, 0), 1, 1000, true)
		time.Sleep(time.Second)
		if _, entries, writes := s.data.Held(); entries < 1000 || writes > 10 {
			t.Errorf("%d entries in %d round trips", entries, writes)
		}
		time.Sleep(time.Hour)
		if _, _, writes := s.data.Held(); writes > 10 {
			t.Errorf("%d round trips, although no stream is open", writes)
		}
	})
}

// A reader outlives a short outage of its own, and not a long one.
func TestReaderIsPatientWithTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			outage  time.Duration
			numbers string
			end     error
		}{{5 * time.Second, "1 2", io.EOF}, {time.Minute, "1", eventlog.ErrLost}} {
			s := newStage(t)
			link := s.data.Link()
			s.b.Close()
			s.b = eventlog.New(link, s.keys, slog.New(slog.DiscardHandler))
			st := s.a.Open(alice, 0)
			say(st, 1, 1, false)
			time.AfterFunc(2*time.Second, func() { link.SetDown(true) })
			time.AfterFunc(2*time.Second+tt.outage, func() { link.SetDown(false) })
			time.AfterFunc(3*time.Second, func() { say(st, 2, 2, true) })
			s.want(tt.outage.String(), tt.numbers, tt.end)(s.follow(alice, 0))
			link.SetDown(true)
			if _, err := s.b.Follow(t.Context(), alice, 0); err == nil || errors.Is(err, eventlog.ErrLost) {
				t.Errorf("a reader that begins then: %v, want the Store's error", err)
			}
		}
	})
}

// What cannot be written is not held for ever.
func TestCloseWaitsForTheStoreAndNotForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		st := s.a.Open(alice, 0)
		s.link.SetDown(true)
		say(st, 1, 5, true)
		time.Sleep(time.Second)
		began := time.Now()
		s.a.Close()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		s = newStage(t)
		say(s.a.Open(alice, 0), 1, 500, true)
		s.a.Close()
		s.want("what was queued", "499 500", io.EOF)(s.follow(alice, 498))
	})
}

// The queue of all streams could be filled by one caller's, and everyone else's were given up.
func TestT52FloodOfOneCallersEventsCostsNobodyElseTheirs(t *testing.T) {
	for name, tt := range map[string]struct{ size, each int }{"events": {0, 100}, "bytes": {256 << 10, 2}} {
		size := tt.size
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				bob := alice
				bob.Holder.Principal = "bob"
				st := s.a.Open(bob, 0)
				say(st, 1, 1, false)
				synctest.Wait()
				s.link.SetDown(true)
				for stream := range 100 {
					one := alice
					one.Stream += stream
					flood := s.a.Open(one, 0)
					for n := range tt.each {
						m := sized(1+n, size)
						flood.Append(1+n, 1, m, false)
						m.Free()
					}
				}
				m := sized(2, size)
				st.Append(2, 1, m, false)
				m.Free()
				say(st, 3, 200, true)
				time.Sleep(5 * time.Second)
				s.link.SetDown(false)
				time.Sleep(time.Minute)
				if events, err := s.follow(bob, 190); err != io.EOF || len(events) == 0 {
					t.Errorf("bob's stream: %v, %v", events, err)
				}
				if said := s.logged(); !strings.Contains(said, "streams no longer written") {
					t.Errorf("logged %q", said)
				}
			})
		})
	}
}
