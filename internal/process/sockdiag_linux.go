package process

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A tcpSocket is what the kernel says of a socket.
type tcpSocket struct {
	state byte
	user  uint32
	inode uint32 // 0 if no process has it any more
}

// socketOf returns the socket at one end of a connection whose other end is far. The error is ENOENT if this machine does
// not have it, and if the kernel does not know at all.
func socketOf(end, far netip.AddrPort) (tcpSocket, error) {
	s, err := nearestSocket(end, far)
	if err == nil && s.state == tcpListen {
		return tcpSocket{}, unix.ENOENT
	}
	return s, err
}

// knowsSockets reports whether the kernel finds sockets, by a connection that was just accepted: a kernel without a module
// for sock_diag(7) has none. Where the connection was reset, it finds the listener that it came by.
func knowsSockets(local, remote netip.AddrPort) bool {
	_, err := nearestSocket(local, remote)
	return err != unix.ENOENT
}

// nearestSocket is what the kernel would give a packet from far to: a listener, where there is no connection.
func nearestSocket(end, far netip.AddrPort) (s tcpSocket, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return tcpSocket{}, err
	}
	defer unix.Close(fd)
	families := []byte{unix.AF_INET, unix.AF_INET6} // a socket of the latter takes connections of the former
	if end.Addr().Is6() {
		families = families[1:]
	}
	for _, family := range families {
		if s, err = askDiag(fd, family, end, far); err != unix.ENOENT {
			break
		}
	}
	return s, err
}

// The messages of sock_diag(7) for one TCP connection, in the host's byte order except for addresses and ports.
const (
	diagRequestBytes = 16 + 56 // struct nlmsghdr, struct inet_diag_req_v2
	diagAnswerBytes  = 16 + 72 // struct nlmsghdr, struct inet_diag_msg
	diagState        = 16 + 1  // of idiag_state
	diagUser         = 16 + 64 // of idiag_uid
	diagInode        = 16 + 68 // of idiag_inode
	sockDiagByFamily = 20
	tcpListen        = 10 // TCP_LISTEN
	anyState         = ^uint32(0)
	noCookie         = ^uint32(0)
)

func askDiag(fd int, family byte, end, far netip.AddrPort) (tcpSocket, error) {
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
		return tcpSocket{}, err
	}
	answer := make([]byte, 4<<10)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return tcpSocket{}, err
	}
	if n >= 20 && native.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		return tcpSocket{}, unix.Errno(-int32(native.Uint32(answer[16:])))
	}
	if n < diagAnswerBytes || native.Uint16(answer[4:]) != sockDiagByFamily {
		return tcpSocket{}, unix.EPROTO
	}
	return tcpSocket{answer[diagState], native.Uint32(answer[diagUser:]), native.Uint32(answer[diagInode:])}, nil
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
