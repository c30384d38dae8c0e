package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// question makes a call that needs input, and returns the requestState that comes with the question.
func (b *bench) question(principal, text string) string {
	b.t.Helper()
	answer, err := b.ask(principal, modernTool("ask", text, 0))
	var m struct{ Result struct{ RequestState string } }
	if err != nil || json.Unmarshal([]byte(answer), &m) != nil || m.Result.RequestState == "" {
		b.t.Errorf("no question: %s, %v", answer, err)
	}
	return m.Result.RequestState
}

// reply makes the call again, with what the question came with.
func (b *bench) reply(principal, state string) (string, error) {
	w, err := b.pools.Continue(b.server, Caller{Principal: principal}, state)
	if err != nil {
		return "", err
	}
	defer w.Leave()
	m, err := message.Parse([]byte(strings.Replace(modernTool("ask", "", 0), `"params":{`, fmt.Sprintf(`"params":{"requestState":%q,`, state), 1)))
	if err != nil {
		return "", err
	}
	defer m.Free()
	c, err := w.Send(b.t.Context(), m, nil)
	if err != nil {
		return "", err
	}
	defer c.Leave()
	answer, _ := next(c)
	return answer, nil
}

// lost fails the test unless err is a LostError for this reason.
func lost(t *testing.T, err error, elsewhere bool) {
	t.Helper()
	if l, ok := errors.AsType[*LostError](err); !ok || l.Elsewhere != elsewhere {
		t.Errorf("got %v, want a LostError, elsewhere %t", err, elsewhere)
	}
}

func TestContinuationsReachTheProcessThatMintedThem(t *testing.T) {
	const calls = 400
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		var busy []func()
		for range maxCallsPerWorker * b.server.Workers { // so that all processes are there
			_, leave, err := b.send("u", modernTool("late", "", 0))
			if err != nil {
				t.Fatal(err)
			}
			busy = append(busy, leave)
		}
		if n := len(b.processes()); n != b.server.Workers {
			t.Fatalf("%d processes, want %d", n, b.server.Workers)
		}
		var all sync.WaitGroup
		for i := range calls {
			all.Go(func() {
				text := fmt.Sprintf("text %d", i)
				state := b.question("u", text)
				time.Sleep(time.Second)
				if answer, err := b.reply("u", state); err != nil || !strings.Contains(answer, `"`+text+`"`) {
					t.Errorf("call %d: %s, %v", i, answer, err)
				}
			})
		}
		all.Wait()
		for _, leave := range busy {
			leave()
		}
	})
}

func TestContinuationThatCannotGoBackIsRefusedWithAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Idle = 3 * stateLife
		mine := b.question("u", "")
		_, err := b.reply("v", mine)
		lost(t, err, true)
		b.question("v", "")
		_, err = b.reply("v", mine) // who has a process of their own
		lost(t, err, true)
		_, err = b.reply("u", mine+"x")
		lost(t, err, true)

		time.Sleep(stateLife)
		_, err = b.reply("u", mine)
		lost(t, err, true)

		mine = b.question("u", "")
		b.processes()[0].Exit(errors.New("crashed"))
		synctest.Wait()
		_, err = b.reply("u", mine)
		lost(t, err, false)
		if answer, err := b.reply("u", b.question("u", "again")); err != nil || !strings.Contains(answer, "again") {
			t.Errorf("after that: %s, %v", answer, err)
		}
	})
}

// registry is what instances tell each other of requestStates, in memory.
type registry struct {
	mu   sync.Mutex
	by   map[string]string
	gone bool
	err  error
}

// as are the Minters of one instance.
type as struct {
	*registry
	name string
}

func (a as) Minted(_ context.Context, name string, _ time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.by[name] = a.name
	return a.err
}

func (a as) Minter(_ context.Context, name string) (string, bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if owner := a.by[name]; owner != a.name && !a.gone {
		return owner, false, a.err
	}
	return "", a.gone, a.err
}

func TestContinuationsAreFoundOnOtherInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &registry{by: map[string]string{}}
		here, there := newBench(t, 0, nil), newBench(t, 0, nil)
		here.pools.minters, there.pools.minters = as{r, "here"}, as{r, "there"}
		state := here.question("u", "text")
		find := func(b *bench, principal string) (string, error) {
			return b.pools.Minter(t.Context(), b.server, Caller{Principal: principal}, state)
		}
		if owner, err := find(there, "u"); owner != "here" || err != nil {
			t.Errorf("got %q, %v", owner, err)
		}
		_, err := find(there, "mallory")
		lost(t, err, true)
		_, err = find(here, "u")
		lost(t, err, true)
		r.gone = true
		_, err = find(there, "u")
		lost(t, err, false)
		r.err = errors.New("down")
		_, err = find(there, "u")
		if f, ok := errors.AsType[*child.Failure](err); !ok || f.Reason != child.ReasonUnsure || !f.Retryable {
			t.Errorf("while it cannot be found out: %v", err)
		}
		if again := here.question("u", "again"); again == "" {
			t.Error("no question without the registry")
		}
		there.pools.minters = nil
		_, err = find(there, "u")
		lost(t, err, true)
	})
}
