package process

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// peer finds who has the other end of a connection. It reads what processes have open: a millisecond or so, once
// for a connection.
//
// Only the kernel knows who holds a socket. A process can keep others of its user from reading what it has open, and hold
// a socket that is not among its open files: in a message that nobody has taken, in io_uring, in a thread with files of its
// own. So a socket that no child is found with has to be found with a process that is not ours.
func (s *system) peer(c net.Conn) (child uint64, ours bool) {
	if !s.marks.any() {
		return 0, false
	}
	remote, ok1 := addrPort(c.RemoteAddr())
	local, ok2 := addrPort(c.LocalAddr())
	if !ok1 || !ok2 {
		return 0, false
	}
	end, err := socketOf(remote, local)
	user := uint32(os.Geteuid())
	switch {
	case err == unix.ENOENT: // it is on another machine, or reset already
		return 0, remote.Addr().IsLoopback() || local.Addr().IsLoopback() || remote.Addr() == local.Addr()
	case err != nil:
		return 0, false // without sock_diag(7) nothing can be told
	case end.inode == 0:
		return 0, true // closed already
	case user != 0 && end.user != user:
		return 0, false // who is not root makes no socket of another user
	}
	held := s.sockets.after(s.heldSockets)
	if mark := held.by[end.inode]; mark != 0 {
		return mark, true
	}
	unseen := false
	for _, pid := range held.others {
		found := false
		err := eachSocket(pid, func(other uint32) { found = found || other == end.inode })
		if found {
			return 0, false
		}
		unseen = unseen || errors.Is(err, os.ErrPermission) && (user == 0 || runsAs(pid, user))
	}
	if held.hidden != 0 {
		return held.hidden, true
	}
	// A handler is called by the host that started it, which is seen. Others may call an app that is part of another
	// program, also from a container that shares only the network with it.
	_, embedded := s.currentTier().(*marked)
	return 0, !embedded && !unseen
}

// runsAs reports whether a process that cannot be looked into may hold a socket of this user.
func runsAs(pid int, user uint32) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false // it has ended
	}
	_, uids, _ := strings.Cut(string(status), "\nUid:")
	uids, _, _ = strings.Cut(uids, "\n")
	return slices.Contains(strings.Fields(uids), strconv.FormatUint(uint64(user), 10))
}

// heldSockets are those that what came of children has open.
type heldSockets struct {
	by     map[uint32]uint64 // the mark of who has it open, by inode
	hidden uint64            // the mark of who keeps us from seeing; 0 for nobody
	others []int             // processes that came of no child, the parent of this one first
}

func (s *system) heldSockets() (held heldSockets) {
	held.by = map[uint32]uint64{}
	all := processes()
	foreign := s.foreigners(all)
	host := os.Getppid() // which most connections are from
	if i := slices.IndexFunc(all, func(p process) bool { return p.pid == host }); i > 0 {
		all[0], all[i] = all[i], all[0]
	}
	for _, p := range all {
		mark := uint64(0)
		if !foreign(p) { // it is dear to read
			mark = s.marks.of(p.pid)
		}
		if mark == 0 {
			held.others = append(held.others, p.pid)
			continue
		}
		if err := eachSocket(p.pid, func(inode uint32) { held.by[inode] = mark }); errors.Is(err, os.ErrPermission) {
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

// eachSocket calls f with the inode of each socket that a process has open.
func eachSocket(pid int, f func(inode uint32)) error {
	path := "/proc/" + strconv.Itoa(pid) + "/fd"
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	var link [64]byte
	for _, name := range names {
		n, err := unix.Readlink(path+"/"+name, link[:])
		if err != nil {
			continue
		}
		if number, ok := strings.CutPrefix(string(link[:n]), "socket:["); ok {
			if inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 32); err == nil {
				f(uint32(inode))
			}
		}
	}
	return nil
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

// A socketEnd is the socket at one end of a connection.
type socketEnd struct {
	inode uint32 // its number; 0 if no process has it any more
	user  uint32 // that it was made by
}

// socketOf returns the socket at one end of a connection whose other end is far. The error is ENOENT if this machine does
// not have it, or no more.
func socketOf(end, far netip.AddrPort) (socketEnd, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return socketEnd{}, err
	}
	defer unix.Close(fd)
	families := []byte{unix.AF_INET, unix.AF_INET6} // a socket of the latter takes connections of the former
	if end.Addr().Is6() {
		families = families[1:]
	}
	for _, family := range families {
		found, err := askDiag(fd, family, end, far)
		if err != unix.ENOENT {
			return found, err
		}
	}
	return socketEnd{}, unix.ENOENT
}

func askDiag(fd int, family byte, end, far netip.AddrPort) (found socketEnd, err error) {
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
		return found, err
	}
	answer := make([]byte, 4<<10)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return found, err
	}
	if n >= 20 && native.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		return found, unix.Errno(-int32(native.Uint32(answer[16:])))
	}
	if n < diagAnswerBytes || native.Uint16(answer[4:]) != sockDiagByFamily {
		return found, unix.EPROTO
	}
	return socketEnd{inode: native.Uint32(answer[diagInode:]), user: native.Uint32(answer[diagUser:])}, nil
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
