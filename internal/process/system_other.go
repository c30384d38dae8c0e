//go:build !linux

package process

import "net"

// system has nothing to do where there is neither a sub-reaper nor /proc, or where job objects do it.
type system struct{}

func (*system) open(*Supervisor)                        {}
func (*system) takeProcess()                            {}
func (*system) ended(*Child)                            {}
func (*system) close()                                  {}
func (*system) isolation() string                       { return isolation }
func (*system) peer(net.Conn) (child uint64, ours bool) { return 0, false }
func (*system) limitation() (text, hint string)         { return "", "" }

// systemChild is what only Linux needs of a child.
type systemChild struct{}

// reap waits for the child, and a moment later takes its group with it: there is no portable way to
// wait for a child without reaping it.
func (c *Child) reap() error {
	err := c.collect()
	c.tree.end(c)
	return err
}

func (*Child) released() bool { return false }

// widen does nothing: pipes grow by themselves here, or cannot.
func widen(uintptr) {}
