package process

import (
	"bufio"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// A caller that comes while others look gets what is seen after that, and all who come then share it.
func TestWhoComesLaterSharesTheNextLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lookout[uint64]
		looks := uint64(0)
		gate := make(chan struct{})
		look := func() uint64 {
			looks++
			mine := looks
			<-gate
			return mine
		}
		var all sync.WaitGroup
		saw := make([]uint64, 10)
		for i := range saw {
			all.Go(func() { saw[i] = l.after(look) })
			synctest.Wait()
		}
		close(gate)
		all.Wait()
		for i, n := range saw {
			if want := min(uint64(i)+1, 2); n != want {
				t.Errorf("number %d has what was seen by look %d, want %d", i, n, want)
			}
		}
	})
}

// What was read about a number is not of the process that had it when it was inspected, if that has ended meanwhile.
func TestNumberOfAnotherProcessTellsNothing(t *testing.T) {
	buf := make([]byte, statBytes)
	p, ok := inspect(os.Getpid(), buf)
	if !ok || !p.lives(buf) {
		t.Fatalf("%+v, %t", p, ok)
	}
	p.started--
	if p.lives(buf) {
		t.Error("an earlier process with this number lives")
	}
}

// The app is told from what it hosts by who holds the other end of a connection.
func TestPeerIsKnown(t *testing.T) {
	s := open(t)
	s.TakeProcess()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	addr := listener.Addr().String()
	accept := func() (uint64, bool) {
		c, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return s.Peer(c)
	}
	own := func(when string) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if child, ours := accept(); ours {
			t.Errorf("%s: the app's own connection is said to be of child %d", when, child)
		}
	}
	own("before there is a child")
	ways := append([]string{"plain", "gone", "hidden", "by MPTCP"}, slices.Sorted(maps.Keys(hides))...)
	if ip := elsewhere(t); ip != "" {
		ways = append(ways, ip)
	}
	for _, how := range ways {
		c, err := launchers[current](s, Spec{Command: "/proc/self/exe", Args: []string{"hostile", "dial", addr, how}})
		if err != nil {
			t.Fatal(err)
		}
		said := line(t, c)
		if hides[how] != nil && said != "said <nil>" {
			t.Logf("%s: not tried: %s", how, said)
			c.Kill()
			if _, err := listener.Accept(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		child, ours := accept()
		if !ours || how != "gone" && hides[how] == nil && child != c.mark.number {
			t.Errorf("%s: of child %d, ours %t; want child %d", how, child, ours, c.mark.number)
		}
		own("beside one that is " + how)
	}
}

// elsewhere returns an address of this machine that is not a loopback address; empty if it has no other.
func elsewhere(t *testing.T) string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if ip := a.(*net.IPNet).IP; ip.To4() != nil && ip.IsGlobalUnicast() {
			return ip.String()
		}
	}
	t.Log("this machine has only loopback addresses")
	return ""
}

// Who certainly did not come of us is not asked for a mark; where anything is in doubt it is.
func TestForeignersAreCertain(t *testing.T) {
	self := os.Getpid()
	all := []process{
		{pid: 1, parent: 0, started: 1}, {pid: self, parent: 1, started: 10},
		{pid: 1<<30 + 1, parent: self, started: 20},        // ours
		{pid: 1<<30 + 2, parent: 1<<30 + 1, started: 30},   // of ours
		{pid: 1<<30 + 3, parent: 1<<30 + 9, started: 30},   // of one that has ended
		{pid: 1<<30 + 4, parent: 1, started: 5},            // another's
		{pid: 1<<30 + 5, parent: 1<<30 + 4, started: 40},   // of another's
		{pid: 1<<30 + 6, parent: 1<<30 + 4, started: 4},    // of one whose number is another's by now
		{pid: 1<<30 + 7, parent: 0, started: 40},           // from outside of the container
		{pid: 1<<30 + 8, parent: 1<<30 + 8, started: 1000}, // what there cannot be
	}
	for taken, want := range map[bool][]bool{
		false: make([]bool, len(all)),
		true:  {true, false, false, false, false, true, true, false, true, false},
	} {
		s := open(t)
		if taken {
			s.TakeProcess()
		}
		var got []bool
		foreign := s.sys.foreigners(all)
		for _, p := range all {
			got = append(got, foreign(p))
		}
		if !slices.Equal(got, want) {
			t.Errorf("taken %t: got %v, want %v", taken, got, want)
		}
	}
}

// A child is closed out before a byte of it is read, others are served, and who leaves gives its share back.
func TestPeerListenerAdmits(t *testing.T) {
	s := open(t)
	s.TakeProcess()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	left := make(chan struct{}, 1)
	listener := PeerListener{Listener: inner, Supervisor: s, Admit: func(_ uint64, ours bool) (func(), bool) {
		return func() { left <- struct{}{} }, !ours
	}}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 5)); err == nil {
					io.WriteString(c, "welcome")
				}
			}()
		}
	}()
	child, err := launchers[current](s, Spec{Command: "/proc/self/exe", Args: []string{"hostile", "dial", inner.Addr().String(), "plain"}})
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewScanner(child)
	out.Scan()
	if out.Scan(); out.Text() != `heard ""` {
		t.Errorf("the child %s", out.Text())
	}
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "hello")
	if answer, err := io.ReadAll(c); string(answer) != "welcome" {
		t.Errorf("the app's own connection heard %q, %v", answer, err)
	}
	<-left
}
