package process

import (
	"fmt"
	"net"
	"os"
	"testing"
)

// A client is known by its open sockets, until it has ended and another process has its number.
func TestClientsAreKnownByTheirSockets(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	local, _ := addrPort(c.LocalAddr())
	remote, _ := addrPort(c.RemoteAddr())
	end, err := socketOf(local, remote)
	if err != nil || end.inode == 0 {
		t.Fatalf("%+v, %v", end, err)
	}
	socket := fmt.Sprintf("socket:[%d]", end.inode)
	self, ok := inspect(os.Getpid(), make([]byte, statBytes))
	if !ok {
		t.Fatal("no /proc/self/stat")
	}
	var l clients
	have := func(want bool, when string) {
		t.Helper()
		if got := l.have(socket); got != want {
			t.Errorf("%s: got %t, want %t", when, got, want)
		}
	}
	have(false, "without a client")
	l.add(self)
	for i := range len(l.known) - 1 { // which have no such socket
		l.add(process{pid: 1<<30 + i})
	}
	have(true, "as the oldest of them")
	l.add(process{pid: 1<<30 + len(l.known)})
	have(false, "after one too many")
	other := self
	other.started++
	l.add(other)
	have(false, "with the number of an earlier process")
	l.add(self)
	have(true, "once more")
	c.Close()
	have(false, "without the socket")
}
