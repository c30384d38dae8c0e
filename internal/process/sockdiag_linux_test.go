package process

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A listener at the port of a connection that was reset is not the socket of that connection.
func TestListenerIsNotAConnection(t *testing.T) {
	listener := listen(t, "127.0.0.1:0")
	at, _ := addrPort(listener.Addr())
	far := netip.MustParseAddrPort("127.0.0.1:1")
	if got, err := socketOf(at, far); err != unix.ENOENT {
		t.Errorf("got %+v, %v", got, err)
	}
	if !knowsSockets(at, far) {
		t.Error("the listener was not found")
	}
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// A connection with an end on this machine that nobody has is a child's, by whatever address it came, as far as the kernel
// can tell.
func TestLostConnectionIsOfThisMachine(t *testing.T) {
	s := open(t)
	s.sys.marks.add()
	listener := listen(t, "0.0.0.0:0")
	port := uint16(listener.Addr().(*net.TCPAddr).Port)
	local := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port) // of an interface that has gone
	want := map[string]bool{"127.0.0.1:1": true, "192.0.2.2:1": false}
	if ip := elsewhere(t); ip != "" {
		want[ip+":1"] = true
	}
	for remote, want := range want {
		if _, ours := s.Peer(lost{nil, local, netip.MustParseAddrPort(remote)}); ours != want {
			t.Errorf("from %s: ours %t, want %t", remote, ours, want)
		}
	}
	listener.Close() // the kernel now knows neither end, as one that cannot tell
	if _, ours := s.Peer(lost{nil, local, netip.MustParseAddrPort("127.0.0.1:1")}); ours {
		t.Error("where the kernel does not know of sockets, callers are refused")
	}
}

// lost is a connection of which nothing is left but its addresses.
type lost struct {
	net.Conn
	local, remote netip.AddrPort
}

func (l lost) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(l.local) }
func (l lost) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(l.remote) }

// A child that uses up the app's descriptors does not become a caller by that.
func TestPeerWithoutDescriptorsIsNoCaller(t *testing.T) {
	s := open(t)
	s.sys.marks.add()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(os.Getpid(), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1, Max: before.Max}, nil); err != nil {
		t.Fatal(err)
	}
	_, ours := s.Peer(lost{nil, netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")})
	_, known := s.sys.marks.of(os.Getpid())
	knows := knowsSockets(netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2"))
	if err := unix.Prlimit(os.Getpid(), unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
	if !ours {
		t.Error("it passes for a caller")
	}
	if known {
		t.Error("a process that cannot be asked is said to have no mark")
	}
	if !knows {
		t.Error("the kernel is said to know of no sockets")
	}
}

// A socket is not of a process that had the number of its holder before, and of whose parents something else was known.
func TestSocketIsNotOfAnEarlierProcess(t *testing.T) {
	s := open(t)
	listen(t, "127.0.0.1:0")
	self, ok := inspect(os.Getpid(), make([]byte, statBytes))
	if !ok {
		t.Fatal("no /proc/self/stat")
	}
	if held := s.sys.heldBy([]process{self}); len(held.by) == 0 {
		t.Error("no socket is held")
	}
	self.started--
	if held := s.sys.heldBy([]process{self}); len(held.by) > 0 {
		t.Errorf("an earlier process holds %v", held.by)
	}
}
