package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// Twelve thousand requests that a server does not answer once took 114 MiB.
func TestT35UnansweredRequestsOfASessionAreBounded(t *testing.T) {
	for name, mode := range map[string]ReplyMode{"on their streams": OnStream, "as bodies": AnswersOnly, "on the standalone stream": OnListener} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, limits{})
			s, other := b.open("mallory"), b.open("alice")
			defer s.Leave()
			defer other.Leave()
			send := func(text string) (*stream.Reader, error) {
				m, err := message.Parse([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				return s.Send(t.Context(), []*message.Message{m}, mode)
			}
			refused := 0
			for n := range 12_000 {
				_, err := send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"silent"}}`, n))
				if busy, ok := errors.AsType[*admission.BusyError](err); ok && busy.Limit == maxInFlight {
					refused++
				} else if err != nil {
					t.Fatal(name, err)
				}
			}
			if refused != 12_000-maxInFlight || len(s.router.pending) != maxInFlight {
				t.Errorf("%s: %d were refused, %d are in flight, want %d", name, refused, len(s.router.pending), maxInFlight)
			}
			if got, err := b.call(other, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}`); err != nil {
				t.Errorf("%s: another's session: %v %v", name, got, err)
			}
			// A caller that cancels one may have another.
			if _, err := send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0}}`); err != nil {
				t.Errorf("%s: a cancellation: %v", name, err)
			}
			time.Sleep(2 * child.CancelGrace) // of the bubble
			synctest.Wait()
			if _, err := send(`{"jsonrpc":"2.0","id":"again","method":"tools/call","params":{"name":"silent"}}`); err != nil {
				t.Errorf("%s: after a cancellation: %v", name, err)
			}
		})
	}
}

// Messages for a process that is still starting are bounded, too.
func TestT35MessagesThatWaitForAProcessAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.server.Launch = func(ctx context.Context, _ any) (process.Process, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		s := b.open("mallory")
		ctx, cancel := context.WithCancel(t.Context())
		var refused atomic.Int32
		var all sync.WaitGroup
		for n := range 3 * maxInFlight {
			all.Go(func() {
				text := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, n)
				if n%2 == 0 {
					text = `{"jsonrpc":"2.0","method":"notifications/x"}`
				}
				m, _ := message.Parse([]byte(text))
				_, err := s.Send(ctx, []*message.Message{m}, OnStream)
				if _, ok := errors.AsType[*admission.BusyError](err); ok {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := refused.Load(); n != 2*maxInFlight {
			t.Errorf("%d were refused, want %d", n, 2*maxInFlight)
		}
		cancel()
		all.Wait()
		if n := s.sending.Load(); n != 0 {
			t.Errorf("%d are still counted", n)
		}
		s.Leave()
	})
}
