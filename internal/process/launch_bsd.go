//go:build unix && !linux

package process

import (
	"net"
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

// system has nothing to do where there is neither a sub-reaper nor /proc.
type system struct{}

func (*system) open(*Supervisor)  {}
func (*system) takeProcess()      {}
func (*system) ended(*Child)      {}
func (*system) close()            {}
func (*system) isolation() string { return "process group" }

func (*system) peer(net.Conn) (child uint64, ours bool) { return 0, false }

func (*system) limitation() (text, hint string) { return "", "" }
