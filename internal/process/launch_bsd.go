//go:build unix && !linux

package process

import "syscall"

func (c *Child) launch() error {
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	go c.wait()
	return nil
}

// reap waits for the child, and a moment later takes its group with it: there is no portable way to
// wait for a child without reaping it.
func (c *Child) reap() error {
	err := c.cmd.Wait()
	c.tree.end(c)
	return err
}

// system has nothing to do where there is neither a sub-reaper nor /proc.
type system struct{}

func (*system) open(*Keeper)      {}
func (*system) ended(*Child)      {}
func (*system) close()            {}
func (*system) isolation() string { return "process group" }

func (*system) drawback() (text, hint string) { return "", "" }
