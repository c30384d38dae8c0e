package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

const (
	knownInitialize = `{"jsonrpc":"2.0","id":"mcpfunc-manifest","result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"logging":{},"resources":{"subscribe":true}},"serverInfo":{"name":"mcptest","version":"1"}}}`
	knownTools      = `{"jsonrpc":"2.0","id":"mcpfunc-manifest","result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}}`
	clientsTools    = `{"jsonrpc":"2.0","id":9007199254740993,"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}}`
	askTools        = `{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/list","params":{}}`
	initializeNone  = `{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
)

// knowing lets the bench's server be answered for, from these answers to initialize and tools/list.
func (b *bench) knowing(tools string, doubt bool) {
	b.t.Helper()
	file, err := manifest.Parse([]byte(`{"format":1,"servers":{"fake":{"start":"","era":"legacy","conversations":[{"version":"2025-11-25","answers":[` +
		`{"method":"initialize","line":2},{"method":"tools/list","line":3},{"method":"ping","line":4},{"method":"logging/setLevel","line":4}]}]}}}` + "\n" +
		knownInitialize + "\n" + tools + "\n" + `{"jsonrpc":"2.0","id":1,"result":{}}` + "\n"))
	if err != nil {
		b.t.Fatal(err)
	}
	from := manifest.Source{}
	is := file.Servers["fake"]
	is.Identity = from.Identity("")
	file.Servers["fake"] = is
	known := file.Known("fake", from, nil, doubt, slog.New(slog.DiscardHandler), nil)
	if known == nil {
		b.t.Fatal("nothing is known")
	}
	b.server.Known = func(m *message.Message) Talk {
		if talk := known.Talk(m); talk != nil {
			return talk
		}
		return nil
	}
}

// begin opens the session that a client asks for, and says its handshake.
func (b *bench) begin(principal, initialize string) *Session {
	b.t.Helper()
	m, err := message.Parse([]byte(initialize))
	if err != nil {
		b.t.Fatal(err)
	}
	s, err := b.table.Open(b.t.Context(), Opening{Server: b.server, Principal: principal, Initialize: m})
	m.Free()
	if err != nil {
		b.t.Fatal(err)
	}
	b.says(s, initialize, `"protocolVersion":"2025-11-25"`)
	b.notify(s, string(initialized))
	return s
}

// says sends a request and wants text in the last of what comes back, which it returns.
func (b *bench) says(s *Session, request, text string) []string {
	b.t.Helper()
	got, err := b.call(s, request)
	if err != nil || len(got) == 0 || !strings.Contains(got[len(got)-1], text) {
		b.t.Fatalf("%s: %q, %v; want %q", request, got, err, text)
	}
	return got
}

func (b *bench) notify(s *Session, text string) {
	b.t.Helper()
	m, err := message.Parse([]byte(text))
	if err != nil {
		b.t.Fatal(err)
	}
	if r, err := s.Send(b.t.Context(), []*message.Message{m}, OnStream); r != nil || err != nil {
		b.t.Fatalf("%s: %v, %v", text, r, err)
	}
}

func TestWhoOnlyListsHasNoProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.knowing(knownTools, false)
		s := b.begin("u", initializeNone)
		if got := b.says(s, askTools, "echo"); len(got) != 1 || got[0] != clientsTools {
			t.Errorf("the list is %q, want %q", got, clientsTools)
		}
		b.says(s, `{"jsonrpc":"2.0","id":"","method":"ping"}`, `"id":"","result":{}`)
		b.notify(s, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`)
		b.notify(s, `{"jsonrpc":"2.0","id":"ask-1","result":{}}`)
		if n := len(b.processes()); n != 0 {
			t.Errorf("%d processes for a session that lists, want none", n)
		}
		if st := b.table.Stats(); st.Sessions != 1 || st.Processes != 0 || st.Idle != 1 {
			t.Errorf("the figures are %+v", st)
		}
		s.Leave()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if st := b.table.Stats(); st.Sessions != 0 || st.Ended != 1 || s.Alive() {
			t.Errorf("after idling: %+v", st)
		}
	})
}

// The first message that needs a process starts one, which is told what the client has said, and no more than
// once.
func TestFirstCallStartsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.knowing(knownTools, false)
		said := b.tap()
		s := b.begin("u", initializeNone)
		defer s.Leave()
		b.says(s, `{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"debug"}}`, `"id":2,"result":{}`)
		if got := b.says(s, tool(3, "echo", `"text":"hello"`), "hello"); len(got) != 1 {
			t.Errorf("with the answer came %q", got[:len(got)-1])
		}
		b.says(s, askTools, "echo")
		if n := len(b.processes()); n != 1 {
			t.Errorf("%d processes, want 1", n)
		}
		var methods []string
		for _, line := range said() {
			m, err := message.Parse([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			methods = append(methods, m.Envelope().Method())
			m.Free()
		}
		want := "initialize notifications/initialized tools/list logging/setLevel tools/call tools/list"
		if got := strings.Join(methods, " "); got != want {
			t.Errorf("the process was told %s\nwant %s", got, want)
		}
		if st := b.table.Stats(); st.Processes != 1 || st.Idle != 0 {
			t.Errorf("the figures are %+v", st)
		}
	})
}

func TestOtherBeginningsStartAProcess(t *testing.T) {
	for name, initialize := range map[string]string{
		"version":            strings.Replace(initializeNone, "2025-11-25", "2025-06-18", 1),
		"unknown capability": strings.Replace(initializeNone, `"capabilities":{}`, `"capabilities":{"tasks":{"list":{}}}`, 1),
		"ambiguous":          strings.Replace(initializeNone, `"id":"i"`, `"id":"i","ID":"j"`, 1),
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, limits{})
			b.knowing(knownTools, false)
			m, err := message.Parse([]byte(initialize))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Free()
			s, err := b.table.Open(b.t.Context(), Opening{Server: b.server, Initialize: m})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Leave()
			if n := len(b.processes()); n != 1 {
				t.Errorf("%s: %d processes, want 1", name, n)
			}
		})
	}
}

func TestTriedCapabilitiesMayBeDeclared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.knowing(knownTools, false)
		s := b.begin("u", strings.Replace(initializeNone, `"capabilities":{}`, `"capabilities":{"roots":{"listChanged":true},"experimental":{}}`, 1))
		defer s.Leave()
		if n := len(b.processes()); n != 0 {
			t.Errorf("%d processes, want none", n)
		}
	})
}

// A client is told within its call that its list was not that of the process that it got, and the next one is
// not told anything that is not true.
func TestDriftIsToldWithinTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.knowing(strings.Replace(knownTools, `"echo"`, `"old"`, 1), false)
		s := b.begin("u", initializeNone)
		defer s.Leave()
		b.says(s, askTools, `"old"`)
		got := b.says(s, tool(3, "echo", `"text":"hello"`), "hello")
		if len(got) != 2 || !strings.Contains(got[0], "notifications/tools/list_changed") {
			t.Errorf("the call brought %q, want word of the list before the answer", got)
		}
		b.says(s, askTools, `"echo"`)
		other := b.begin("v", initializeNone)
		defer other.Leave()
		if got := b.says(other, askTools, "echo"); len(got) != 1 {
			t.Errorf("the next session was told %q", got)
		}
		if n := len(b.processes()); n != 2 {
			t.Errorf("%d processes, want 2: what is known rests", n)
		}
	})
}

// What may be of other values of the server's variables stands in for nothing until a process has said the same.
func TestDoubtfulAnswersAreProvenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.knowing(knownTools, true)
		first := b.begin("u", initializeNone)
		defer first.Leave()
		if n := len(b.processes()); n != 1 {
			t.Fatalf("%d processes, want 1", n)
		}
		synctest.Wait()
		second := b.begin("v", initializeNone)
		defer second.Leave()
		b.says(second, askTools, "echo")
		if n := len(b.processes()); n != 1 {
			t.Errorf("%d processes, want 1: the first has proven what is known", n)
		}
	})
}

// A session that we initialize has no process either, until it needs one.
func TestAnonymousListHasNoProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.knowing(knownTools, false)
		s := b.open("u")
		defer s.Leave()
		b.says(s, askTools, "echo")
		if n := len(b.processes()); n != 0 {
			t.Errorf("%d processes, want none", n)
		}
		b.says(s, tool(3, "echo", `"text":"hello"`), "hello")
		if n := len(b.processes()); n != 1 {
			t.Errorf("%d processes, want 1", n)
		}
	})
}

// On another instance, or after it has hibernated, a session lists without a process as well.
func TestSessionIsTakenOverWithoutAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := ticket.RandomKeys()
		a, b := newBench(t, limits{}), newBench(t, limits{})
		for _, one := range []*bench{a, b} {
			one.table.sharing = Sharing{Keys: keys, Instances: true}
			one.server.OnLost = Resurrect
			one.knowing(knownTools, false)
		}
		s := a.begin("u", initializeNone)
		id := s.Announce()
		s.Leave()
		there, err := b.table.TakeOver(t.Context(), Opening{Server: b.server, Principal: "u", ID: id})
		if err != nil {
			t.Fatal(err)
		}
		defer there.Leave()
		b.says(there, askTools, "echo")
		if n := len(b.processes()); n != 0 {
			t.Errorf("%d processes, want none", n)
		}
		b.says(there, tool(3, "echo", `"text":"hello"`), "hello")
		if n := len(b.processes()); n != 1 {
			t.Errorf("%d processes, want 1", n)
		}
	})
}

// full is a machine without memory for a process.
type full struct{}

func (full) Free() (int64, bool)           { return 48 << 20, true }
func (full) Used(pids []int) map[int]int64 { return nil }

// Who lists needs no memory of a process; who calls is refused, and may call again.
func TestListingNeedsNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{memory: full{}})
		b.knowing(knownTools, false)
		s := b.begin("u", initializeNone)
		defer s.Leave()
		b.says(s, askTools, "echo")
		for range 2 {
			_, err := b.call(s, tool(3, "echo", `"text":"hello"`))
			if _, ok := err.(*admission.FullError); !ok {
				t.Fatalf("a call: %v, want that there is no memory", err)
			}
		}
		b.says(s, askTools, "echo")
	})
}

// Calls that come at once share one start, and lists go on meanwhile.
func TestCallsAtOnceStartOneProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.knowing(knownTools, false)
		s := b.begin("u", initializeNone)
		defer s.Leave()
		done := make(chan error, 20)
		for i := range cap(done) {
			go func() {
				text := tool(100+i, "echo", `"text":"hello"`)
				if i%2 == 1 {
					text = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/list"}`, 100+i)
				}
				got, err := b.call(s, text)
				if err == nil && (len(got) != 1 || !strings.Contains(got[0], fmt.Sprintf(`"id":%d,`, 100+i))) {
					err = fmt.Errorf("call %d brought %q", i, got)
				}
				done <- err
			}()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := len(b.processes()); n != 1 {
			t.Errorf("%d processes, want 1", n)
		}
	})
}

// A server that does not start, or speaks another version, must not look alive because its lists are known.
func TestServerThatDoesNotStartIsNotAnsweredFor(t *testing.T) {
	for name, launch := range map[string]func(b *bench) (process.Process, error){
		"no program": func(*bench) (process.Process, error) { return nil, errors.New("no such program") },
		"dies": func(*bench) (process.Process, error) {
			return mcptest.Run(func(io.Reader, io.Writer) error { return errors.New("died") }), nil
		},
		"other version": func(*bench) (process.Process, error) {
			return mcptest.Run(func(in io.Reader, out io.Writer) error {
				bufio.NewReader(in).ReadString('\n')
				fmt.Fprintln(out, strings.Replace(strings.Replace(knownInitialize, "2025-11-25", "2025-06-18", 1), `"mcpfunc-manifest"`, `"i"`, 1))
				_, err := io.Copy(io.Discard, in)
				return err
			}), nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, limits{})
			b.knowing(knownTools, false)
			real := b.server.Launch
			b.server.Launch = func(context.Context, any) (process.Process, error) { return launch(b) }
			s := b.begin("u", initializeNone)
			defer s.Leave()
			if got, err := b.call(s, tool(3, "echo", `"text":"hello"`)); err == nil && !strings.Contains(got[0], `"error"`) {
				t.Errorf("%s: a call is answered with %q", name, got)
			}
			synctest.Wait()
			b.server.Launch = real
			next := b.begin("v", initializeNone)
			defer next.Leave()
			if n := len(b.processes()); n != 1 {
				t.Errorf("%s: the next session has %d processes, want 1", name, n)
			}
			synctest.Wait() // it has shown that the server is as it was
			last := b.begin("w", initializeNone)
			defer last.Leave()
			if n := len(b.processes()); n != 1 {
				t.Errorf("%s: %d processes, want 1", name, n)
			}
		})
	}
}
