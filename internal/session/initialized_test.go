package session

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// Clients ask for tools, prompts and resources at once, as soon as they are initialized. Servers may
// refuse what comes before they have heard of that.
func TestNoCallOvertakesTheWordThatTheClientIsInitialized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInstance(t, Sharing{Keys: ticket.RandomKeys(), Instances: true}, nil)
		for range 30 {
			o := in.opening("u", in.initialize("u"))
			var calls sync.WaitGroup
			for i := range 8 {
				calls.Go(func() {
					s, err := in.table.Find(o.key())
					if err != nil {
						t.Error(err)
						return
					}
					defer s.Leave()
					if _, err := in.call(s, `{"jsonrpc":"2.0","id":`+string(rune('1'+i))+`,"method":"tools/call","params":{"name":"a"}}`); err != nil {
						t.Error(err)
					}
				})
			}
			calls.Wait()
			if heard := in.told(); !strings.HasPrefix(heard, replayed+" tools/call") || strings.Count(heard, "initialized") != 1 {
				t.Fatalf("told %q", heard)
			}
		}
	})
}
