package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

func TestIdleSessionSleepsAndWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInstance(t, Sharing{Keys: ticket.RandomKeys()}, nil)
		o := in.opening("u", in.initialize("u"))
		time.Sleep(in.server.Hibernate + 10*time.Second)
		synctest.Wait()
		if st := in.table.Stats(); st.Sessions != 0 || st.Processes != 0 || st.Hibernated != 1 {
			t.Fatalf("asleep: %+v", st)
		}
		if err := in.use(o); err != nil {
			t.Fatal(err)
		}
		if st := in.table.Stats(); st.Sessions != 1 || st.Processes != 1 || st.Hibernated != 0 || st.TakenOver != 1 {
			t.Errorf("awake: %+v", st)
		}
		time.Sleep(in.server.Idle - time.Second)
		if err := in.use(o); err != nil {
			t.Errorf("within idle_seconds of its last use: %v", err)
		}
		time.Sleep(in.server.Idle + time.Second)
		if err := in.use(o); err != ErrUnknown {
			t.Errorf("after idle_seconds: %v, want %v", err, ErrUnknown)
		}
		if st := in.table.Stats(); st.Hibernated != 0 {
			t.Errorf("over: %+v", st)
		}
	})
}

func TestSessionWithSomethingToLoseKeepsItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			change  func(*Server)
			prepare func(in *instance, s *Session)
			sleeps  bool
		}{
			"nothing":        {nil, nil, true},
			"switched off":   {func(s *Server) { s.Hibernate = 0 }, nil, false},
			"not to be lost": {func(s *Server) { s.OnLost = NotFound }, nil, false},
			"a listener":     {nil, func(_ *instance, s *Session) { s.Enter() }, false},
			"a log level": {nil, func(in *instance, s *Session) {
				in.call(s, `{"jsonrpc":"2.0","id":5,"method":"logging/setLevel","params":{"level":"info"}}`)
			}, false},
			"a subscription": {nil, func(in *instance, s *Session) {
				in.call(s, `{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"a:b"}}`)
			}, false},
			"a chosen id":      {nil, nil, false},
			"tools that may":   {nil, func(in *instance, _ *Session) { in.tools = silent }, false},
			"tools unknown":    {nil, func(in *instance, _ *Session) { in.tools = `7` }, false},
			"one who listened": {nil, func(_ *instance, s *Session) { s.Listen().Leave() }, true},
		} {
			in := newInstance(t, Sharing{Keys: ticket.RandomKeys()}, test.change)
			var s *Session
			if name == "a chosen id" {
				s = in.open("u")
			} else {
				var err error
				if s, err = in.table.Find(in.opening("u", in.initialize("u")).key()); err != nil {
					t.Fatal(err)
				}
			}
			if test.prepare != nil {
				test.prepare(in, s)
			}
			s.Leave()
			time.Sleep(5*time.Minute + 10*time.Second)
			synctest.Wait()
			if got := !s.Alive(); got != test.sleeps {
				t.Errorf("%s: asleep %t, want %t", name, got, test.sleeps)
			}
			if name == "a listener" {
				s.Leave()
			}
		}
	})
}
