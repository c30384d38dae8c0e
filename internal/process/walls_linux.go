package process

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// walls are what no child can leave or change: a Landlock domain and a seccomp filter. Both are made once. See
// enclosure for what one child enters.
type walls struct {
	abi    int // of Landlock; 0 for none
	filter Filter

	once    sync.Once
	ruleset int // a descriptor of Landlock
	err     error
}

func newWalls() *walls {
	w := &walls{abi: landlockABI(), ruleset: -1}
	if filtersSystemCalls() {
		w.filter = childFilter
	}
	return w
}

// landlock returns the descriptor of the ruleset. There is one if abi is not 0.
func (w *walls) landlock() (int, error) {
	w.once.Do(func() { w.ruleset, w.err = newRuleset(w.abi) })
	if w.err != nil {
		return -1, fmt.Errorf("landlock: %w", w.err)
	}
	return w.ruleset, nil
}

// close gives back what the walls hold. No child may be started after it.
func (w *walls) close() {
	w.once.Do(func() {})
	if w.ruleset >= 0 {
		unix.Close(w.ruleset)
		w.ruleset = -1
	}
}
