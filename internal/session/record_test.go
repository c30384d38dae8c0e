package session

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// What a session remembers of its client is in no budget, so that it must not be large, and must not
// hold what is in the budget either: it would be missing there for as long as the app runs.
func TestLargeInitializeHoldsNothingOfTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, budget := newBench(t, limits{}), message.NewBudget(1<<20, time.Second)
		s, err := b.table.Open(t.Context(), Opening{Server: b.server, Principal: "u", ID: "chosen"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Leave()
		share := budget.Share("fake", "alice")
		m := message.New(&share)
		text := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",`+
			`"capabilities":{"experimental":{"x":%q}},"clientInfo":{"name":"c","version":"1"}}}`, strings.Repeat("x", 200<<10))
		if err := m.Fill(strings.NewReader(text).Read, 1<<20); err != nil || budget.Used() == 0 {
			t.Fatalf("%d bytes of the budget, error %v", budget.Used(), err)
		}
		r, err := s.Send(t.Context(), []*message.Message{m}, OnStream)
		if err != nil {
			t.Fatal(err)
		}
		<-r.Ready()
		answer, state := r.Take()
		if state != stream.Taken || s.Protocol() != "2025-11-25" {
			t.Fatalf("state %d, protocol version %q", state, s.Protocol())
		}
		answer.Free()
		r.Leave()
		if _, err := b.call(s, tool(2, "echo", "")); err != nil {
			t.Error(err)
		}
		if used := budget.Used(); used != 0 {
			t.Errorf("%d bytes of the budget are held", used)
		}
	})
}

// It cannot be said again to another process, so it is not recorded.
func TestSessionWithLargeInitializeEndsWithItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []int{1, recordBytes} {
			b := newBench(t, limits{})
			s, err := b.table.Open(t.Context(), Opening{Server: b.server, Principal: "u", ID: "chosen"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.call(s, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",`+
				`"capabilities":{"experimental":{"x":%q}},"clientInfo":{"name":"c","version":"1"}}}`, strings.Repeat("x", size))); err != nil {
				t.Fatal(err)
			}
			b.call(s, tool(2, "crash", ""))
			s.Leave()
			time.Sleep(time.Minute)
			if want := size == 1; s.Alive() != want || len(b.processes()) > 1 != want {
				t.Errorf("%d bytes: alive %t, %d processes", size, s.Alive(), len(b.processes()))
			}
		}
	})
}
