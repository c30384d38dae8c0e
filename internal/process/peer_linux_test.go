package process

import (
	"sync"
	"testing"
	"testing/synctest"
)

// A caller that comes while others look gets what is seen after that, and all who come then share it.
func TestWhoComesLaterSharesTheNextLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lookout[uint64]
		looks := uint64(0)
		gate := make(chan struct{})
		look := func() uint64 {
			looks++
			mine := looks
			<-gate
			return mine
		}
		var all sync.WaitGroup
		saw := make([]uint64, 10)
		for i := range saw {
			all.Go(func() { saw[i] = l.after(look) })
			synctest.Wait()
		}
		close(gate)
		all.Wait()
		for i, n := range saw {
			if want := min(uint64(i)+1, 2); n != want {
				t.Errorf("number %d has what was seen by look %d, want %d", i, n, want)
			}
		}
	})
}
