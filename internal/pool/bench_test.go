package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/stream"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// bench is pools with one server whose processes are in memory.
type bench struct {
	t       *testing.T
	pools   *Pools
	starter *child.Starter
	room    *admission.Controller
	server  *Server

	mu      sync.Mutex
	started []*mcptest.Process
}

func plain(text string) string { return text }

// newBench is a bench with room for max processes, which speak 2026-07-28 and nothing else.
func newBench(t *testing.T, max int, hub *watch.Hub) *bench {
	log := slog.New(slog.DiscardHandler)
	b := &bench{t: t, starter: child.NewStarter(log, nil, child.Limits{}), room: admission.New(max, nil, 0, nil)}
	b.pools = New(log, b.starter, b.room, hub, nil)
	b.server = &Server{
		Workers: 4,
		Spec: &child.Spec{
			Name: "fake", Framing: framing.Auto, MaxMessage: 1 << 20, StartTimeout: 30 * time.Second, Grace: 3 * time.Second,
			Restart: true, MaxRestarts: 3, Launch: b.launch(mcptest.Stateless),
		},
		Idle: time.Hour, Limits: admission.Limits{MaxPerPrincipal: 8},
	}
	t.Cleanup(func() {
		b.pools.Close()
		b.starter.Close()
		b.room.Close()
		if n := len(b.pools.workers); n != 0 {
			t.Errorf("left over: %d processes", n)
		}
	})
	return b
}

// processes waits until nothing moves, and returns the processes that were started.
func (b *bench) processes() []*mcptest.Process {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.started
}

func (b *bench) launch(serve func(in io.Reader, out, complain io.Writer, exit func(int))) func(context.Context, any) (process.Process, error) {
	return func(context.Context, any) (process.Process, error) {
		run := make(chan *mcptest.Process, 1) // it may exit at once
		p := mcptest.Run(func(in io.Reader, out io.Writer) error {
			serve(in, out, io.Discard, func(int) { (<-run).Exit(errors.New("crashed")) })
			return nil
		})
		run <- p
		b.mu.Lock()
		defer b.mu.Unlock()
		b.started = append(b.started, p)
		return p, nil
	}
}

func (b *bench) share(principal string) (*Worker, error) {
	return b.pools.Share(b.t.Context(), b.server, Caller{Principal: principal})
}

// modernTool is a call as every client writes it: with the id 1 and the token "t".
func modernTool(name, text string, count int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{"text":%q,"count":%d},`+
		`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":"t"}}}`, name, text, count)
}

func listen1() string {
	return `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`
}

// send passes a call to a worker, which leave gives back.
func (b *bench) send(principal, text string) (c *Call, leave func(), err error) {
	w, err := b.share(principal)
	if err != nil {
		return nil, nil, err
	}
	m, err := message.Parse([]byte(text))
	if err != nil {
		b.t.Fatal(err)
	}
	defer m.Free()
	if c, err = w.Send(b.t.Context(), m, nil); err != nil {
		w.Leave()
		return nil, nil, err
	}
	return c, func() { c.Leave(); w.Leave() }, nil
}

// next waits for the next message of a call, or for its end.
func next(c *Call) (text string, last bool) {
	for {
		e, state := c.Take()
		switch state {
		case stream.Taken:
			defer e.Free()
			return string(e.Message.Bytes()), e.Last
		case stream.Waiting:
			<-c.Ready()
		default:
			return "", true
		}
	}
}

// ask makes one call and returns its answer.
func (b *bench) ask(principal, text string) (string, error) {
	c, leave, err := b.send(principal, text)
	if err != nil {
		return "", err
	}
	defer leave()
	for {
		if text, last := next(c); last {
			return text, nil
		}
	}
}
