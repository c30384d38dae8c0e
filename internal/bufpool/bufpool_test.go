package bufpool

import (
	"sync"
	"testing"
)

// Two holders of one piece would mix the messages of two callers. The race detector, under which CI
// runs this, sees it too.
func TestPieceHasOneHolder(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for holder := range byte(8) {
		all.Go(func() {
			for range 200 {
				a, b := Get(), Get()
				if a == b {
					t.Error("a piece was given out twice")
				}
				a[0], a[Size-1], b[0] = holder, holder, holder
				if a[0] != holder || a[Size-1] != holder || b[0] != holder {
					t.Error("somebody else writes into a piece that is held")
				}
				Put(a)
				Put(b)
			}
		})
	}
	all.Wait()
}
