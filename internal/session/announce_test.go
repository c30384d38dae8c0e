package session

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// Something else came first: the id goes out before it is known what the server answers.
func TestIdThatIsSealedEarlySaysNothingThatWasGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		for _, version := range []string{"2025-11-25", "2025-06-18"} {
			here, there := newInstance(t, sharing, nil), newInstance(t, sharing, nil)
			here.version, there.version = version, version
			s, err := here.table.Open(t.Context(), here.opening("u", ""))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.ready(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			m, _ := message.Parse([]byte(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`))
			here.mu.Lock() // the process does not get to its answer
			r, err := s.Send(t.Context(), []*message.Message{m}, OnStream)
			if err != nil {
				t.Fatal(err)
			}
			id := s.Announce()
			here.mu.Unlock()
			synctest.Wait()
			r.Leave()
			s.Leave()
			if err := here.use(here.opening("u", id)); err != nil {
				t.Errorf("%s, here: %v", version, err)
			}
			if got := there.table.Protocol(there.opening("u", id)); got != "" {
				t.Errorf("the id says %s", got)
			}
			if err := there.use(there.opening("u", id)); err != nil {
				t.Errorf("%s, there: %v", version, err)
			}
			if got := there.table.Protocol(there.opening("u", id)); got != version {
				t.Errorf("there it speaks %s, want %s", got, version)
			}
		}
	})
}

func TestWhatDoesNotFitIntoAnIdStaysHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sharing := Sharing{Keys: ticket.RandomKeys(), Instances: true}
		here, there := newInstance(t, sharing, nil), newInstance(t, sharing, nil)
		s, err := here.table.Open(t.Context(), here.opening("u", ""))
		if err != nil {
			t.Fatal(err)
		}
		var much strings.Builder // which does not get shorter
		for range 100 {
			much.WriteString(mint())
		}
		here.call(s, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","x":"`+much.String()+`"}}`)
		id := s.Announce()
		s.Leave()
		if err := here.use(here.opening("u", id)); err != nil || len(id) > 40 {
			t.Errorf("%s, here: %v", id, err)
		}
		if err := there.use(there.opening("u", id)); err != ErrUnknown {
			t.Errorf("there: %v", err)
		}
	})
}
