package process

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// walls are what a child cannot leave or change: a Landlock domain and a seccomp filter. Both are made once,
// and entered by the thread that starts a child.
type walls struct {
	abi    int // of Landlock; 0 for none
	filter []unix.SockFilter

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

// enter puts the calling thread, and all that it forks, behind the walls, which it cannot leave again.
func (w *walls) enter() error {
	if w.abi == 0 && w.filter == nil {
		return nil
	}
	w.once.Do(func() {
		if w.abi > 0 {
			w.ruleset, w.err = newRuleset(w.abi)
		}
	})
	if w.err != nil {
		return fmt.Errorf("landlock: %w", w.err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if w.abi > 0 {
		if err := enterDomain(w.ruleset); err != nil {
			return fmt.Errorf("landlock: %w", err)
		}
	}
	if w.filter != nil {
		if err := enterFilter(w.filter); err != nil {
			return fmt.Errorf("seccomp: %w", err)
		}
	}
	return nil
}

// close gives back what the walls hold. No child may be started afterwards.
func (w *walls) close() {
	w.once.Do(func() {})
	if w.ruleset >= 0 {
		unix.Close(w.ruleset)
		w.ruleset = -1
	}
}
