package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/stream"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// An instance is a table with one server, as one of several that share keys. Its processes answer
// what describe says and remember what they were told.
type instance struct {
	bench
	heard []string // methods that processes were told, in order; guarded by bench.mu

	version, capabilities, tools string // that its processes say they have
}

const (
	readOnly = `[{"name":"a","annotations":{"readOnlyHint":true}},{"name":"b","annotations":{"idempotentHint":true}}]`
	silent   = `[{"name":"a","annotations":{"readOnlyHint":true}},{"name":"b"}]`
)

func newInstance(t *testing.T, sharing Sharing, change func(*Server)) *instance {
	in := &instance{version: "2025-11-25", capabilities: `{"tools":{"listChanged":true},"logging":{}}`, tools: readOnly}
	in.bench = bench{t: t, table: newTable(t, limits{}, sharing)}
	in.server = &Server{
		Spec: &child.Spec{
			Name: "fake", Framing: framing.Auto, MaxMessage: 1 << 20, StartTimeout: 30 * time.Second, Grace: 3 * time.Second,
			Restart: true, MaxRestarts: 3, Launch: in.launch,
		},
		Idle: time.Hour, Hibernate: 5 * time.Minute, MaxAge: 24 * time.Hour,
	}
	if change != nil {
		change(in.server)
	}
	return in
}

func (in *instance) launch(context.Context, any) (process.Process, error) {
	p := mcptest.Run(func(stdin io.Reader, stdout io.Writer) error {
		lines := bufio.NewScanner(stdin)
		for lines.Scan() {
			m, err := message.Parse(lines.Bytes())
			if err != nil {
				return err
			}
			method, result := m.Envelope().Method(), `{}`
			in.mu.Lock()
			in.heard = append(in.heard, method)
			switch method {
			case "initialize":
				result = fmt.Sprintf(`{"protocolVersion":%q,"capabilities":%s,"serverInfo":{"name":"s","version":"1"}}`, in.version, in.capabilities)
			case "tools/list":
				result = `{"tools":` + in.tools + `}`
			}
			in.mu.Unlock()
			if m.Kind() == message.Request {
				fmt.Fprintf(stdout, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", m.Envelope().ID(), result)
			}
		}
		return lines.Err()
	})
	in.mu.Lock()
	defer in.mu.Unlock()
	in.started = append(in.started, p)
	return p, nil
}

// initialize opens a session as a client does, and returns its id.
func (in *instance) initialize(principal string) string {
	in.t.Helper()
	s, err := in.table.Open(in.t.Context(), Opening{Server: in.server, Principal: principal, Client: "program"})
	if err != nil {
		in.t.Fatal(err)
	}
	defer s.Leave()
	if _, err := in.call(s, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`); err != nil {
		in.t.Fatal(err)
	}
	return s.Announce()
}

func (in *instance) opening(principal, id string) Opening {
	return Opening{Server: in.server, Principal: principal, Client: "program", ID: id}
}

// use makes a call in the session of this id, as a POST does.
func (in *instance) use(o Opening) error {
	s, err := in.table.Find(o.key())
	if errors.Is(err, ErrUnknown) {
		s, err = in.table.TakeOver(in.t.Context(), o)
	}
	if err != nil {
		return err
	}
	defer s.Leave()
	_, err = in.call(s, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}`)
	return err
}

// told returns what processes were told, and forgets it.
func (in *instance) told() string {
	synctest.Wait()
	in.mu.Lock()
	defer in.mu.Unlock()
	heard := strings.Join(in.heard, " ")
	in.heard = nil
	return heard
}

const replayed = "initialize notifications/initialized"

func TestSessionIsServedByAnotherInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		here, there := newInstance(t, sharing, nil), newInstance(t, sharing, nil)
		id := here.initialize("u")
		if err := there.use(there.opening("u", id)); err != nil {
			t.Fatal(err)
		}
		if got, want := there.told(), replayed+" tools/list tools/call"; got != want {
			t.Errorf("the other process was told %q, want %q", got, want)
		}
		if err := there.use(there.opening("u", id)); err != nil {
			t.Fatal(err)
		}
		if got := there.told(); got != "tools/call" {
			t.Errorf("then it was told %q", got)
		}
		second := here.initialize("u")
		there.use(there.opening("u", second))
		if got, want := there.told(), replayed+" tools/call"; got != want {
			t.Errorf("the next one was told %q, want %q: the tools are known", got, want)
		}
		if st := there.table.Stats(); st.TakenOver != 2 || st.Sessions != 2 {
			t.Errorf("%+v", st)
		}
	})
}

func TestLostSessionIsNobodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		here := newInstance(t, sharing, nil)
		id := here.initialize("u")
		stranger := newInstance(t, Sharing{Keys: ticket.RandomKeys(), Instances: true}, nil)
		there := newInstance(t, sharing, func(s *Server) { s.OnLost = Resurrect })
		other := newInstance(t, sharing, func(s *Server) { s.Name, s.OnLost = "other", Resurrect })
		program := there.opening("u", id)
		program.Client = "another"
		for name, try := range map[string]struct {
			in *instance
			o  Opening
		}{
			"another principal": {there, there.opening("v", id)},
			"nobody":            {there, there.opening("", id)},
			"another program":   {there, program},
			"another server":    {other, other.opening("u", id)},
			"other keys":        {stranger, stranger.opening("u", id)},
			"truncated":         {there, there.opening("u", id[:len(id)-1])},
			"changed":           {there, there.opening("u", id[:40]+strings.Map(func(rune) rune { return 'A' }, id[40:41])+"B"+id[42:])},
			"plain":             {there, there.opening("u", mint())},
			"too long":          {there, there.opening("u", id+strings.Repeat("A", ticket.MaxLength))},
		} {
			if err := try.in.use(try.o); err != ErrUnknown {
				t.Errorf("%s: %v, want %v", name, err, ErrUnknown)
			}
			if err := try.in.table.Delete(t.Context(), try.o); err != ErrUnknown {
				t.Errorf("%s: DELETE: %v, want %v", name, err, ErrUnknown)
			}
			if n := len(try.in.processes()); n != 0 {
				t.Fatalf("%s: %d processes were started", name, n)
			}
		}
		if err := there.use(there.opening("u", id)); err != nil {
			t.Error("and its own:", err)
		}
	})
}

func TestManyRequestsResurrectASessionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		here, there := newInstance(t, sharing, nil), newInstance(t, sharing, nil)
		id := here.initialize("u")
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				s, err := there.table.TakeOver(t.Context(), there.opening("u", id))
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Leave()
				if _, err := there.call(s, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, i)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(there.processes()); n != 1 {
			t.Errorf("%d processes for one session", n)
		}
	})
}

func TestServerThatMayRememberIsNotResurrected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		for name, test := range map[string]struct {
			tools   string
			onLost  OnLost
			want    error
			starts  int // for two lost sessions
			changed bool
		}{
			"all harmless":        {readOnly, "", nil, 2, false},
			"one says nothing":    {silent, "", ErrUnknown, 1, false},
			"no tools":            {`[]`, "", ErrUnknown, 1, false},
			"not of that type":    {`[{"annotations":{"readOnlyHint":"yes"}}]`, "", ErrUnknown, 2, false},
			"said to be harmless": {silent, Resurrect, nil, 2, false},
			"said not to be":      {readOnly, NotFound, ErrUnknown, 0, false},
			"to be told":          {silent, Notify, nil, 2, true},
		} {
			here := newInstance(t, sharing, nil)
			there := newInstance(t, sharing, func(s *Server) { s.OnLost = test.onLost })
			there.tools = test.tools
			var id string
			for range 2 {
				id = here.initialize("u")
				if err := there.use(there.opening("u", id)); err != test.want {
					t.Errorf("%s: %v, want %v", name, err, test.want)
				}
			}
			if n := len(there.processes()); n != test.starts {
				t.Errorf("%s: %d processes, want %d", name, n, test.starts)
			}
			if test.want != nil {
				continue
			}
			s, err := there.table.Find(there.opening("u", id).key())
			if err != nil {
				t.Fatal(err)
			}
			r := s.Listen()
			var told []string
			for {
				e, state := r.Take()
				if state != stream.Taken {
					break
				}
				m := message.Must([]byte(said(e)))
				told = append(told, m.Envelope().Method())
				m.Free()
				e.Free()
			}
			r.Leave()
			s.Leave()
			if got, want := strings.Join(told, " "), "notifications/tools/list_changed notifications/message"; test.changed != (got == want) {
				t.Errorf("%s: the client was told %q", name, got)
			}
		}
	})
}

func TestServerWithoutToolsIsResurrected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		for capabilities, want := range map[string]error{`{"prompts":{},"resources":{}}`: nil, `{"prompts":{},"tools":{}}`: ErrUnknown} {
			here, there := newInstance(t, sharing, nil), newInstance(t, sharing, nil)
			for _, in := range []*instance{here, there} {
				in.tools, in.capabilities = `[]`, capabilities
			}
			if err := there.use(there.opening("u", here.initialize("u"))); err != want {
				t.Errorf("%s: %v, want %v", capabilities, err, want)
			}
		}
	})
}

func TestAnotherVersionIsAnotherSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		here, there := newInstance(t, sharing, nil), newInstance(t, sharing, func(s *Server) { s.OnLost = Resurrect })
		there.version = "2025-06-18"
		id := here.initialize("u")
		if err := there.use(there.opening("u", id)); err != ErrUnknown {
			t.Errorf("a server that speaks another version: %v", err)
		}
		there.version, there.capabilities = "2025-11-25", `{"tools":{}}`
		if err := there.use(there.opening("u", id)); err != nil {
			t.Errorf("one that can do less: %v", err)
		}
	})
}

func TestOldIdsAreUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		here, there := newInstance(t, sharing, nil), newInstance(t, sharing, nil)
		id := here.initialize("u")
		time.Sleep(24*time.Hour + 2*time.Second)
		if err := there.use(there.opening("u", id)); err != ErrUnknown {
			t.Errorf("after a day: %v", err)
		}
		there.server.MaxAge = 0
		if err := there.use(there.opening("u", id)); err != nil {
			t.Errorf("without a limit: %v", err)
		}
	})
}

// What has ended here stays so, for whatever reason it has, as long as its id would open.
func TestEndedSessionIsNotResurrectedHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, end := range map[string]func(in *instance, o Opening){
			"deleted":   func(in *instance, o Opening) { in.table.Delete(t.Context(), o) },
			"idled out": func(in *instance, o Opening) { time.Sleep(in.server.Idle + time.Second) },
			"crashed too often": func(in *instance, o Opening) {
				for range in.server.MaxRestarts + 1 {
					all := in.processes()
					all[len(all)-1].Exit(errors.New("crashed"))
					time.Sleep(10 * time.Second)
				}
			},
		} {
			in := newInstance(t, Sharing{Keys: ticket.RandomKeys()}, func(s *Server) { s.OnLost = Resurrect })
			o := in.opening("u", in.initialize("u"))
			end(in, o)
			n := len(in.processes())
			if err := in.use(o); err != ErrUnknown || len(in.processes()) != n {
				t.Errorf("%s: %v", name, err)
			}
			if err := in.table.Delete(t.Context(), o); err != ErrUnknown {
				t.Errorf("%s: DELETE: %v", name, err)
			}
		}
	})
}

func TestEvictedSessionComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInstance(t, Sharing{Keys: ticket.RandomKeys()}, func(s *Server) { s.Max = 1 })
		first := in.opening("u", in.initialize("u"))
		in.initialize("v")
		if err := in.use(first); err != nil {
			t.Fatal(err)
		}
		if st := in.table.Stats(); st.Evicted != 2 || st.Sessions != 1 || st.TakenOver != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// The client told another instance that it is initialized. This one tells its process.
func TestProcessIsInitializedWhicheverInstanceHeardIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for shared, want := range map[bool]string{true: "initialize notifications/initialized tools/call tools/call", false: "initialize tools/call tools/call notifications/initialized"} {
			in := newInstance(t, Sharing{Keys: ticket.RandomKeys(), Instances: shared}, nil)
			o := in.opening("u", in.initialize("u"))
			for range 2 {
				if err := in.use(o); err != nil {
					t.Fatal(err)
				}
			}
			s, err := in.table.Find(o.key())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Send(t.Context(), []*message.Message{initialized.message()}, OnStream); err != nil {
				t.Error(err)
			}
			s.Leave()
			if got := in.told(); got != want {
				t.Errorf("shared %t: told %q, want %q", shared, got, want)
			}
		}
	})
}

// Many sessions are lost at once when an instance is replaced.
func TestOneProcessIsEnoughToFindOutThatNoneMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		here, there := newInstance(t, sharing, nil), newInstance(t, sharing, nil)
		there.tools = silent
		var wg sync.WaitGroup
		for i := range 20 {
			id := here.initialize(fmt.Sprint(i))
			wg.Go(func() {
				if err := there.use(there.opening(fmt.Sprint(i), id)); err != ErrUnknown {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(there.processes()); n != 1 {
			t.Errorf("%d processes", n)
		}
	})
}

// Who holds many sessions must not keep everyone else's from coming back by a server that is slow.
func TestNobodyWaitsForEverForAServerThatDoesNotSayWhatItsToolsDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		here, there := newInstance(t, sharing, nil), newInstance(t, sharing, nil)
		there.server.Launch = func(context.Context, any) (process.Process, error) {
			return mcptest.Run(func(stdin io.Reader, stdout io.Writer) error {
				fmt.Fprintln(stdout, `{"jsonrpc":"2.0","id":"mcpfunc-0","result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"logging":{}},"serverInfo":{"name":"s","version":"1"}}}`)
				_, err := io.Copy(io.Discard, stdin)
				return err
			}), nil
		}
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 50 {
			id := here.initialize(fmt.Sprint(i))
			wg.Go(func() {
				err := there.use(there.opening(fmt.Sprint(i), id))
				if f := (*child.Failure)(nil); err != ErrUnknown && (!errors.As(err, &f) || !f.Retryable) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took, most := time.Since(began), 6*there.server.StartTimeout; took > most {
			t.Errorf("the last call was answered after %s, want %s at most", took, most)
		}
	})
}

// A package runner on a new instance downloads first. Who gave up does not throw that away.
func TestDownloadGoesOnWhenASessionIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		here := newInstance(t, sharing, nil)
		there := newInstance(t, sharing, func(s *Server) { s.Runner, s.OnLost = "uvx", Resurrect })
		quick := there.server.Launch
		there.server.Launch = func(ctx context.Context, caller any) (process.Process, error) {
			p := mcptest.Run(func(stdin io.Reader, stdout io.Writer) error {
				closed := make(chan error, 1)
				go func() {
					_, err := io.Copy(io.Discard, stdin) // as a pipe holds what nobody reads yet
					closed <- err
				}()
				select {
				case err := <-closed:
					return err
				case <-time.After(2 * time.Minute): // the download
				}
				fmt.Fprintln(stdout, `{"jsonrpc":"2.0","id":"mcpfunc-0","result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{}}}`)
				return <-closed
			})
			there.mu.Lock()
			there.started = append(there.started, p)
			there.mu.Unlock()
			there.server.Launch = quick
			return p, nil
		}
		o := there.opening("u", here.initialize("u"))
		var f *child.Failure
		if err := there.use(o); !errors.As(err, &f) || f.Reason != child.ReasonTimeout || !f.Retryable {
			t.Fatalf("after 30 s: %v", err)
		}
		select {
		case <-there.processes()[0].Gone():
			t.Fatal("the download was ended")
		case <-time.After(time.Minute):
		}
		time.Sleep(time.Minute)
		if err := there.use(o); err != nil || len(there.processes()) != 2 {
			t.Errorf("once it is done: %v, %d processes", err, len(there.processes()))
		}
	})
}
