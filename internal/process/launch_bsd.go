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

const isolation = "process group"
