package process

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// peer finds the process that has the other end of a connection. It reads what a client that is known has open, or else what all
// processes have: once per connection, a millisecond or many.
//
// Only the kernel knows who holds a socket. A process can keep others of its user from reading what it has open, and can
// hold a socket that is not among its files: in a message that nobody has taken, in io_uring, in a thread with files of its
// own. So a socket has to be found with a process that is not ours.
func (s *system) peer(c net.Conn) (child uint64, ours bool) {
	remote, ok1 := addrPort(c.RemoteAddr())
	local, ok2 := addrPort(c.LocalAddr())
	if !ok1 || !ok2 || !s.marks.any() {
		return 0, false
	}
	end, err := socketOf(remote, local)
	switch self := uint32(os.Geteuid()); {
	case err == unix.ENOENT: // it is on another machine, or reset already
		return 0, (isHere(remote.Addr()) || local.Addr().IsLoopback()) && knowsSockets(local, remote)
	case err == nil && end.inode == 0:
		return 0, true // closed already
	case isShortage(err): // which a child can bring about
		return 0, true
	case err != nil, end.user != self && self != 0:
		return 0, false // without sock_diag(7) nothing can be told, and only root makes sockets of another user
	}
	socket := "socket:[" + strconv.FormatUint(uint64(end.inode), 10) + "]"
	if s.clients.have(socket) {
		return 0, false
	}
	held := s.sockets.after(s.heldSockets)
	switch h, found := held.by[socket]; {
	case h.mark != 0:
		return h.mark, true
	case found:
		if held.foreign(h.process) {
			s.clients.add(h.process)
		}
		return 0, false
	}
	// A handler is called by the host that started it. An app that is part of another program may be called by processes
	// that it cannot see, such as those of another container that shares the network with it.
	_, unsure := s.currentTier().(*marked)
	for _, h := range held.closed {
		if h.mark != 0 {
			return h.mark, true
		}
		unsure = unsure || runsAs(h.process.pid, end.user)
	}
	return 0, !unsure
}

// isHere reports whether an address is one of this machine's.
func isHere(a netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	return a.IsLoopback() || err != nil || slices.ContainsFunc(all, func(own net.Addr) bool {
		prefix, err := netip.ParsePrefix(own.String())
		return err == nil && prefix.Addr().Unmap() == a
	})
}

// isShortage reports whether a call failed for want of what others may have taken.
func isShortage(err error) bool {
	return slices.Contains([]error{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOBUFS, unix.EAGAIN}, err)
}

// runsAs reports whether a process that cannot be looked into is one of this user.
func runsAs(pid int, user uint32) bool {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status") // empty if it has ended
	return bytes.Contains(status, fmt.Appendf(nil, "\nUid:\t%d\t", user))
}

// heldSockets are the sockets that processes have open.
type heldSockets struct {
	by      map[string]holder  // by their names in /proc/pid/fd
	closed  []holder           // that do not let us look
	foreign func(process) bool // reports whether a process certainly came of no child
}

// holder is a child, or what came of it, if one of those that have a socket open is one.
type holder struct {
	process process
	mark    uint64 // 0 for none
}

func (s *system) heldSockets() heldSockets { return s.heldBy(processes()) }

func (s *system) heldBy(all []process) (held heldSockets) {
	held.by = map[string]holder{}
	held.foreign = s.foreigners(all)
	buf := make([]byte, statBytes)
	for _, p := range all {
		sockets, err := socketsOf(p.pid)
		denied := errors.Is(err, os.ErrPermission)
		if len(sockets) == 0 && !denied {
			continue
		}
		h, known := holder{process: p}, true
		if !held.foreign(p) { // it is dear to read
			h.mark, known = s.marks.of(p.pid)
		}
		if !known || !p.lives(buf) {
			continue // its number, and what was read, may be another's
		}
		if denied {
			held.closed = append(held.closed, h)
		}
		for _, socket := range sockets {
			if held.by[socket].mark == 0 {
				held.by[socket] = h
			}
		}
	}
	return held
}

// A lookout does what takes long once for all who wait for it.
type lookout[T any] struct {
	mu   sync.Mutex
	last chan struct{} // closed once the look that began last is over; nil for none
	next *sighting[T]  // that has not begun; nil for none
}

type sighting[T any] struct {
	done chan struct{} // closed once seen is there
	seen T
}

// after returns what f does, which is called after the call of after has begun: for one connection, or for all that
// have come while f was busy with those before.
func (l *lookout[T]) after(f func() T) T {
	mine, last := l.join()
	if last != nil {
		<-last
	}
	if mine.done != last {
		runtime.Gosched() // who has come as well joins: a look takes no break in which they could
		l.begin()
		mine.seen = f()
		close(mine.done)
	}
	return mine.seen
}

// join returns the next sighting, and what is closed once the caller may go on: with the sighting's own channel another
// caller looks, else this one does.
func (l *lookout[T]) join() (next *sighting[T], last chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next != nil {
		return l.next, l.next.done
	}
	l.next = &sighting[T]{done: make(chan struct{})}
	return l.next, l.last
}

// begin makes who joins from now on wait for the next look.
func (l *lookout[T]) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.next = l.next.done, nil
}

// foreigners returns what tells of which processes it is certain that they did not come of this one, since where this
// one adopts orphans, whatever came of it stays below it. Nothing is certain of a process one of whose ancestors has
// ended meanwhile, or is younger than what came of it: then its number is another's by now.
func (s *system) foreigners(all []process) func(process) bool {
	if _, alone := s.currentTier().(*marked); alone {
		return func(process) bool { return false }
	}
	byPID := make(map[int]process, len(all))
	for _, p := range all {
		byPID[p.pid] = p
	}
	self := os.Getpid()
	return func(p process) bool {
		for range len(all) {
			if p.pid == self {
				return false
			}
			if p.parent == 0 {
				return true
			}
			parent, known := byPID[p.parent]
			if !known || parent.started > p.started {
				return false
			}
			p = parent
		}
		return false
	}
}

func addrPort(a net.Addr) (netip.AddrPort, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port()), true
}

// socketsOf returns the names of the sockets that a process has open (proc_pid_fd(5)).
func socketsOf(pid int) (open []string, err error) {
	dir, err := os.Open("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	fd := int(dir.Fd())
	var link [64]byte // enough for a socket
	for {
		names, err := dir.Readdirnames(64)
		if err != nil {
			return open, nil // that was all, or the process has ended
		}
		for _, name := range names {
			if n, err := unix.Readlinkat(fd, name, link[:]); err == nil && bytes.HasPrefix(link[:n], []byte("socket:")) {
				open = append(open, string(link[:n]))
			}
		}
	}
}
