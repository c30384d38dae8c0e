//go:build unix

package process

import (
	"sync"
	"syscall"
)

// tree is a child with its descendants: those in its process group. Others are the Supervisor's matter.
type tree struct {
	mu   sync.Mutex
	over bool // the number of the group may be another's; guarded by mu
}

func (t *tree) terminate(c *Child) error { return t.signal(c, syscall.SIGTERM) }
func (t *tree) kill(c *Child) error      { return t.signal(c, syscall.SIGKILL) }

func (t *tree) signal(c *Child, sig syscall.Signal) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || c.released() {
		return nil
	}
	err := syscall.Kill(-c.PID(), sig)
	if sig == syscall.SIGKILL {
		err = c.proc.Kill() // it may have joined another group
	}
	return err
}

// end takes what is left of the group with the child, which has exited and not been reaped.
func (t *tree) end(c *Child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !c.released() {
		syscall.Kill(-c.PID(), syscall.SIGKILL)
	}
	t.over = true
}
