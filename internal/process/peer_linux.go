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
	if mark := held.by[string(socket)]; mark != 0 {
		return mark, true
	}
	// A handler is called by the host that started it. An app that is part of another program may be called by processes
	// that it cannot see, such as those of another container that shares the network with it.
	_, unsure := s.currentTier().(*marked)
	for _, p := range slices.Backward(held.others) { // a client that is new here is most likely new
		err := hasOpen(p.pid, socket)
		if err == nil {
			if held.foreign(p) {
				s.clients.add(p)
			}
			return 0, false
		}
		unsure = unsure || errors.Is(err, os.ErrPermission) && runsAs(p.pid, user)
	}
	return held.hidden, held.hidden != 0 || !unsure
}

// runsAs reports whether a process that cannot be looked into is one of this user.
func runsAs(pid int, user uint32) bool {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status") // empty if it has ended
	return bytes.Contains(status, fmt.Appendf(nil, "\nUid:\t%d\t", user))
}

// heldSockets are what children, and what came of them, have open.
type heldSockets struct {
	by      map[string]uint64  // the mark of the child that has it open, by its name in /proc/pid/fd
	hidden  uint64             // the mark of a child that hides its files from us; 0 for none
	others  []process          // that carry no mark
	foreign func(process) bool // reports whether a process certainly came of no child
}

func (s *system) heldSockets() (held heldSockets) {
	held.by = map[string]uint64{}
	all := processes()
	held.foreign = s.foreigners(all)
	for _, p := range all {
		mark := uint64(0)
		if !held.foreign(p) { // it is dear to read
			mark = s.marks.of(p.pid)
		}
		if mark == 0 {
			held.others = append(held.others, p)
			continue
		}
		if err := eachFile(p.pid, func(file []byte) bool { held.by[string(file)] = mark; return true }); errors.Is(err, os.ErrPermission) {
			held.hidden = mark
		}
	}
	return held
}

// A lookout does what takes long once for all who wait for it.
type lookout struct {
	turn chan struct{} // held by who looks; capacity 1
	mu   sync.Mutex
	next *sighting // that has not begun; nil for none
}

type sighting struct {
	done chan struct{} // closed once held is there
	held heldSockets
}

// after returns what f does, which is called after the call of after has begun: for one connection, or for all that
// have come while f was busy with those before.
func (l *lookout) after(f func() heldSockets) heldSockets {
	mine, first := l.join()
	if !first {
		<-mine.done
		return mine.held
	}
	l.turn <- struct{}{}
	runtime.Gosched() // who has come as well joins: a look takes no break in which they could
	l.begin()
	mine.held = f()
	<-l.turn
	close(mine.done)
	return mine.held
}

func (l *lookout) join() (next *sighting, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first = l.next == nil; first {
		l.next = &sighting{done: make(chan struct{})}
	}
	return l.next, first
}

// begin makes who joins from now on wait for the next look.
func (l *lookout) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = nil
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

// eachFile calls f with what each descriptor of a process refers to (proc_pid_fd(5)), until f returns false.
func eachFile(pid int, f func(file []byte) (more bool)) error {
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
			if n, err := unix.Readlinkat(fd, name, link[:]); err == nil && !f(link[:n]) {
				return nil
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
