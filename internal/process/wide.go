package process

// Linux gives a pipe room for 64 KiB. Who writes a larger message then waits for its reader again and
// again, and both are woken each time; with room for most of a message each does its work at once. So
// the pipes of a child get more room when the first large message shows that it is of use, and keep it.
//
// A user who is not privileged has 64 MiB of room for all pipes together, and of those that are made
// beyond it each has next to none (pipe(7), pipe-user-pages-soft). That is why few are wide.
const (
	usualRoom = 64 << 10  // bytes of a pipe by default
	wideRoom  = 512 << 10 // more, up to the 1 MiB that anyone may ask for, was hardly faster
	maxWide   = 32        // pipes of an app
)

// mayWiden reports whether one more pipe of c may be wide, and counts it until c is gone. One that the
// system then refuses is counted as well: it would refuse the next.
func (s *Supervisor) mayWiden(c *Child) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, alive := s.children[c]; !alive || s.wide == maxWide {
		return false
	}
	s.wide++
	c.wide++
	return true
}

// found says that the child's stdout was found full, and that it may be widened by its descriptor. It
// reports whether that has been seen to.
func (c *Child) found(full uintptr) bool {
	if !c.supervisor.mayWiden(c) {
		return false
	}
	widen(full)
	return true
}

// expect says that n bytes are about to be written to the child's stdin at once.
func (c *Child) expect(n int) {
	if n < usualRoom || c.wideIn.Load() || !c.supervisor.mayWiden(c) {
		return
	}
	c.wideIn.Store(true)
	if raw, err := c.stdin.SyscallConn(); err == nil {
		raw.Control(widen) // a file that has been closed needs no room
	}
}
