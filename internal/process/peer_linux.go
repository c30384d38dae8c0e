package process

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
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
	inode, user, err := socketOf(remote, local)
	switch self := uint32(os.Geteuid()); {
	case err == unix.ENOENT: // it is on another machine, or reset already
		return 0, remote.Addr().IsLoopback() || local.Addr().IsLoopback() || remote.Addr() == local.Addr()
	case err == nil && inode == 0:
		return 0, true // closed already
	case err != nil, user != self && self != 0:
		return 0, false // without sock_diag(7) nothing can be told, and only root makes sockets of another user
	}
	socket := []byte("socket:[" + strconv.FormatUint(uint64(inode), 10) + "]")
	if s.clients.have(socket) {
		return 0, false
	}
	held := s.sockets.after(s.heldSockets)
	switch h, found := held.by[string(socket)]; {
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
		unsure = unsure || runsAs(h.process.pid, user)
	}
	return 0, !unsure
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

func (s *system) heldSockets() (held heldSockets) {
	held.by = map[string]holder{}
	all := processes()
	held.foreign = s.foreigners(all)
	for _, p := range all {
		h := holder{process: p}
		if !held.foreign(p) { // it is dear to read
			h.mark = s.marks.of(p.pid)
		}
		err := eachSocket(p.pid, func(socket []byte) {
			if held.by[string(socket)].mark == 0 {
				held.by[string(socket)] = h
			}
		})
		if errors.Is(err, os.ErrPermission) {
			held.closed = append(held.closed, h)
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

// eachSocket calls f with the name of each socket that a process has open (proc_pid_fd(5)).
func eachSocket(pid int, f func(socket []byte)) error {
	dir, err := os.Open("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return err
	}
	defer dir.Close()
	fd := int(dir.Fd())
	var link [64]byte // enough for a socket
	for {
		names, err := dir.Readdirnames(64)
		if err != nil {
			return nil // that was all, or the process has ended
		}
		for _, name := range names {
			if n, err := unix.Readlinkat(fd, name, link[:]); err == nil && bytes.HasPrefix(link[:n], []byte("socket:")) {
				f(link[:n])
			}
		}
	}
}

// The messages of sock_diag(7) for one TCP connection, in the host's byte order except for addresses and ports.
const (
	diagRequestBytes = 16 + 56 // struct nlmsghdr, struct inet_diag_req_v2
	diagAnswerBytes  = 16 + 72 // struct nlmsghdr, struct inet_diag_msg
	diagUser         = 16 + 64 // of idiag_uid
	diagInode        = 16 + 68 // of idiag_inode
	sockDiagByFamily = 20
	anyState         = ^uint32(0)
	noCookie         = ^uint32(0)
)

// socketOf returns the number of the socket at one end of a connection whose other end is far, 0 if no process has it any
// more, and its user. The error is ENOENT if this machine does not have it.
func socketOf(end, far netip.AddrPort) (inode, user uint32, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, 0, err
	}
	defer unix.Close(fd)
	families := []byte{unix.AF_INET, unix.AF_INET6} // a socket of the latter takes connections of the former
	if end.Addr().Is6() {
		families = families[1:]
	}
	for _, family := range families {
		if inode, user, err = askDiag(fd, family, end, far); err != unix.ENOENT {
			break
		}
	}
	return inode, user, err
}

func askDiag(fd int, family byte, end, far netip.AddrPort) (inode, user uint32, err error) {
	native := binary.NativeEndian
	m := make([]byte, diagRequestBytes)
	native.PutUint32(m, diagRequestBytes)
	native.PutUint16(m[4:], sockDiagByFamily)
	native.PutUint16(m[6:], unix.NLM_F_REQUEST)
	request := m[16:]
	request[0], request[1] = family, unix.IPPROTO_TCP
	native.PutUint32(request[4:], anyState)
	id := request[8:]
	binary.BigEndian.PutUint16(id, end.Port())
	binary.BigEndian.PutUint16(id[2:], far.Port())
	putAddr(id[4:20], family, end.Addr())
	putAddr(id[20:36], family, far.Addr())
	native.PutUint32(id[40:], noCookie)
	native.PutUint32(id[44:], noCookie)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, 0, err
	}
	answer := make([]byte, 4<<10)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return 0, 0, err
	}
	if n >= 20 && native.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		return 0, 0, unix.Errno(-int32(native.Uint32(answer[16:])))
	}
	if n < diagAnswerBytes || native.Uint16(answer[4:]) != sockDiagByFamily {
		return 0, 0, unix.EPROTO
	}
	return native.Uint32(answer[diagInode:]), native.Uint32(answer[diagUser:]), nil
}

func putAddr(to []byte, family byte, a netip.Addr) {
	if family == unix.AF_INET {
		b := a.As4()
		copy(to, b[:])
		return
	}
	b := a.As16()
	copy(to, b[:])
}
