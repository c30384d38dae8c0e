//go:build unix && !linux

package process

import (
	"os/exec"
	"syscall"
)

func (c *Child) launch(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.sandbox.refused(); err != nil {
		return err
	}
	if err := c.run(cmd); err != nil {
		return err
	}
	go c.wait()
	return nil
}

// reap waits for the child, and a moment later takes its group with it: there is no portable way to
// wait for a child without reaping it.
func (c *Child) reap() error {
	err := c.collect()
	c.tree.end(c)
	return err
}

const isolation = "process group"
