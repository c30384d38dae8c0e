package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// A world is what a sandboxed child is told of what there is to reach.
type world struct {
	Outside string // a folder that it owns and may not change: see newOutside
	Inside  string // one that it may
	TCP     int    // ports of 127.0.0.1 and ::1 that are not on its list
	TCP6    int
	UDP     int
	Allowed int // a port that is on its list; 0 for none
	Path    string
	Packets string // a socket of datagrams
	Name    string // of an abstract socket
	Victim  int    // process ids
	App     int
}

// sandboxed makes the tries of some kinds and prints which succeeded, then again in a namespace of users of its own,
// where it has every capability.
func sandboxed(args []string) {
	var w world
	if err := json.Unmarshal([]byte(args[0]), &w); err != nil {
		panic(err)
	}
	kinds, within := strings.Split(args[1], ","), len(args) > 2
	report := func(tries []try) {
		for _, t := range tries {
			err := t.do(w)
			switch own := strings.HasPrefix(t.name, "own: "); {
			case err == nil && !own && within:
				fmt.Println("in a namespace of users:", t.name)
			case err == nil && !own:
				fmt.Println(t.name)
			case err != nil && own && !within:
				fmt.Printf("%s: %v\n", t.name, err)
			}
		}
	}
	if slices.Contains(kinds, "net") {
		report(netTries)
	}
	if slices.Contains(kinds, "files") {
		report(ownTries)
		report(fileTries)
	}
	if within {
		fmt.Println(withinRan)
		return
	}
	again := exec.Command("/proc/self/exe", append([]string{"hostile", "sandboxed"}, append(args, "within")...)...)
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET}
	if slices.Contains(kinds, "net") {
		again.SysProcAttr.Cloneflags &^= unix.CLONE_NEWNET // or there is nobody to reach
	}
	out, err := again.CombinedOutput()
	os.Stdout.Write(out)
	if err != nil && len(out) > 0 {
		fmt.Println("the namespace of users:", err)
	}
	fmt.Println("end")
}

// newWorld makes what a child is to reach, and returns it with what tells whether it was.
func newWorld(t *testing.T, s *Supervisor) (w world, unchanged func()) {
	t.Helper()
	top := t.TempDir()
	w = world{Outside: top + "/outside", Inside: top + "/inside", App: os.Getpid(), Path: top + "/s", Packets: top + "/p", Name: fmt.Sprint("mcpfunc-test-", os.Getpid(), "-", filepath.Base(top))}
	for _, dir := range []string{w.Outside, w.Inside, w.Inside + "-not", w.Outside + "/dir"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(w.Outside+"/file", []byte("here"), 0o644); err != nil {
		t.Fatal(err)
	}
	listen := func(network, addr string) net.Addr {
		l, err := net.Listen(network, addr)
		if err != nil {
			t.Logf("not tested: %v", err)
			return &net.TCPAddr{}
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		return l.Addr()
	}
	w.TCP = listen("tcp", "127.0.0.1:0").(*net.TCPAddr).Port
	w.Allowed = listen("tcp", "127.0.0.1:0").(*net.TCPAddr).Port
	w.TCP6 = listen("tcp", "[::1]:0").(*net.TCPAddr).Port
	listen("unix", w.Path)
	listen("unix", "@"+w.Name)
	for network, addr := range map[string]string{"udp": "127.0.0.1:0", "unixgram": w.Packets} {
		p, err := net.ListenPacket(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		if u, ok := p.LocalAddr().(*net.UDPAddr); ok {
			w.UDP = u.Port
		}
	}
	victim, err := s.Start(Spec{Command: "/bin/sh", Args: []string{"-c", "echo ready; cat"}, Sandbox: Sandbox{ReadOnly: true, Env: homeEnv}})
	if err != nil {
		t.Fatal(err)
	}
	line(t, victim)
	w.Victim = victim.PID()
	before := look(t, top, w.Inside)
	return w, func() {
		t.Helper()
		if diff := cmp.Diff(before, look(t, top, w.Inside)); diff != "" {
			t.Errorf("what is outside has changed (-before +after):\n%s", diff)
		}
		if data, err := os.ReadDir(victim.enclosure.home); err != nil || len(data) > 0 {
			t.Errorf("the home of a sibling holds %v, %v", data, err)
		}
	}
}

// look returns all that there is to see below a folder, except for one in it.
func look(t *testing.T, top, but string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == but {
			return fs.SkipDir
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		attributes := make([]byte, 256)
		n, _ := unix.Llistxattr(path, attributes)
		text := fmt.Sprintf("%o %d:%d %d links, %d bytes, modified %v, changed %v, %q", st.Mode, st.Uid, st.Gid, st.Nlink, st.Size, st.Mtim, st.Ctim, attributes[:max(0, n)])
		if path == top {
			text = "" // the sockets of the test come and go
		}
		seen[path] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// escapes runs a hostile child in a sandbox and returns what succeeded.
func escapes(t *testing.T, s *Supervisor, w world, box Sandbox, kinds string) []string {
	t.Helper()
	data, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	c, err := launchers[current](s, Spec{Command: "/proc/self/exe", Args: []string{"hostile", "sandboxed", string(data), kinds}, Env: homeEnv(t.TempDir(), t.TempDir()), Sandbox: box})
	if err != nil {
		t.Fatal(err)
	}
	complaints := make(chan string)
	go func() {
		text, _ := io.ReadAll(c.Stderr())
		complaints <- string(text)
	}()
	out, _ := io.ReadAll(c)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := c.Wait(); err != nil || lines[len(lines)-1] != "end" {
		t.Fatalf("the child ended with %v: %q\n%s", err, out, <-complaints)
	}
	<-complaints
	lines = lines[:len(lines)-1]
	if i := slices.Index(lines, withinRan); i >= 0 {
		return slices.Delete(lines, i, i+1)
	}
	if limit, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); box.asks() && err == nil && strings.TrimSpace(string(limit)) != "0" && os.Getuid() == 0 {
		t.Errorf("no try was made in a namespace of users")
	}
	return lines
}

// needs fails, or skips where nobody promises such a kernel, unless a sandbox can be kept up here. What is said
// instead is tested by TestSandboxIsRefusedByKernelsThatCannotKeepIt.
func needs(t *testing.T, box Sandbox) {
	t.Helper()
	if faults := box.Check(); len(faults) > 0 {
		s := open(t)
		_, err := s.Start(Spec{Command: "/bin/true", Sandbox: box})
		if got := (*SandboxError)(nil); !errors.As(err, &got) || got.Hint == "" {
			t.Fatalf("a sandbox that cannot be kept up: %v", err)
		}
		testlimit.Lack(t, "this kernel refuses: %v", faults)
	}
}
