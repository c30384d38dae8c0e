package process

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be an app that starts a child and waits to be killed.
func TestMain(m *testing.M) {
	if script := os.Getenv("PROCESS_TEST_APP"); script != "" {
		s := Open(slog.New(slog.DiscardHandler))
		c, err := s.Start(Spec{Command: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}})
		if err != nil {
			panic(err)
		}
		io.Copy(os.Stdout, c)
		select {}
	}
	os.Exit(m.Run())
}

func alive(pid int) bool {
	p, ok := inspect(pid, make([]byte, statBytes))
	return ok && !p.zombie
}

// eventually polls, because what is waited for happens in other processes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 5 s:", what)
		}
	}
}

const (
	// Each prints the process ids of what must not survive, then "ready".
	wrapper = `sh -c 'trap "" TERM HUP; echo $$; while :; do sleep 1; done' & echo $$; sleep 0.2; echo ready; wait`
	daemon  = `(setsid sh -c 'trap "" TERM HUP; echo $$; exec >/dev/null 2>&1 </dev/null; while :; do sleep 1; done' &) ; echo $$; sleep 0.3; echo ready; cat`
)

// bare is daemon with an empty environment, which leaves no mark.
const bare = `(setsid env -i /bin/sh -c 'trap "" TERM HUP; echo $$; exec >/dev/null 2>&1 </dev/null; while :; do sleep 1; done' &) ; echo $$; sleep 0.3; echo ready; cat`

func pidsOf(t *testing.T, r io.Reader) (pids []int) {
	t.Helper()
	in := bufio.NewScanner(r)
	for in.Scan() && in.Text() != "ready" {
		pid, err := strconv.Atoi(in.Text())
		if err != nil {
			t.Fatal(in.Text())
		}
		pids = append(pids, pid)
	}
	if len(pids) != 2 {
		t.Fatalf("%d processes, want 2", len(pids))
	}
	return pids
}

func TestNothingSurvivesAChild(t *testing.T) {
	for name, script := range map[string]string{"wrapper": wrapper, "daemon": daemon, "daemon that cleared its environment": bare} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			other := shell(t, s, daemon) // of another session, and not to be touched
			others := pidsOf(t, other)
			c := shell(t, s, script)
			pids := pidsOf(t, c)
			c.Kill()
			if script == bare { // whose it is cannot be told while others live
				eventually(t, "end of the child", func() bool { return !alive(c.PID()) })
				other.Kill()
			}
			for _, pid := range pids {
				eventually(t, fmt.Sprintf("end of %d", pid), func() bool { return !alive(pid) })
			}
			for _, pid := range others {
				if !alive(pid) && script != bare {
					t.Errorf("%d of another child was killed", pid)
				}
			}
			other.Kill()
			for _, pid := range others {
				eventually(t, fmt.Sprintf("end of %d", pid), func() bool { _, ok := inspect(pid, make([]byte, statBytes)); return !ok })
			}
		})
	}
}

func TestNothingSurvivesTheApp(t *testing.T) {
	for name, script := range map[string]string{"wrapper": wrapper, "daemon": daemon} {
		t.Run(name, func(t *testing.T) {
			app := exec.Command("/proc/self/exe")
			app.Env = append(os.Environ(), "PROCESS_TEST_APP="+script)
			out, err := app.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := app.Start(); err != nil {
				t.Fatal(err)
			}
			pids := pidsOf(t, out)
			guard := guardOf(t, app.Process.Pid)
			app.Process.Kill()
			app.Wait()
			for _, pid := range pids {
				eventually(t, fmt.Sprintf("end of %d", pid), func() bool { return !alive(pid) })
			}
			eventually(t, "end of the guard", func() bool { return !alive(guard) })
		})
	}
}

// guardOf finds the guard of an app.
func guardOf(t *testing.T, app int) int {
	t.Helper()
	for _, p := range processes() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
		if p.parent == app && strings.HasPrefix(string(cmdline), guardName) {
			return p.pid
		}
	}
	t.Fatal("the app has no guard")
	return 0
}

// The first thread is whom a child meets that signals or traces the app. It must be in no child's
// domain, whichever threads the children are started from.
func TestFirstThreadStaysOutOfEveryDomain(t *testing.T) {
	s := open(t)
	for range 100 {
		io.Copy(io.Discard, shell(t, s, `true`))
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), "NoNewPrivs:\t0") {
		t.Errorf("the first thread has entered a domain:\n%s", status)
	}
}

func TestChildrenCannotReadOrSignalOthers(t *testing.T) {
	s := open(t)
	if s.sys.landlock < 6 {
		t.Logf("Landlock ABI %d: only what it offers is tested", s.sys.landlock)
	}
	victim := shell(t, s, `echo ready; cat`)
	line(t, victim)
	for name, pid := range map[string]int{"sibling": victim.PID(), "app": os.Getpid()} {
		spy := shell(t, s, fmt.Sprintf(`cat /proc/%d/environ; kill -STOP %d 2>/dev/null && echo signalled; echo end`, pid, pid))
		got, _ := io.ReadAll(spy)
		want := "end\n"
		if s.sys.landlock == 0 {
			want = string(got)
		}
		if string(got) != want {
			syscall.Kill(pid, syscall.SIGCONT)
			t.Errorf("%s: the spy saw %q", name, got)
		}
	}
	if s.sys.landlock == 0 && os.Getenv("CI") != "" {
		t.Error("this kernel has no Landlock, so nothing was tested")
	}
}

func TestOnlyTheFirstLandlockDeniesWhatServersNeed(t *testing.T) {
	s := open(t)
	for abi := range 8 {
		s.sys.landlock = abi
		if text, hint := s.Limitation(); (text != "") != (abi == 1) || (hint != "") != (abi == 1) {
			t.Errorf("ABI %d: %q, %q", abi, text, hint)
		}
	}
}

// A domain keeps processes apart, not files: uv, git and others move and link from folder to folder.
func TestChildrenMoveFilesBetweenFolders(t *testing.T) {
	for _, abi := range []int{2, 6} {
		s := open(t)
		if s.sys.landlock < abi {
			t.Logf("Landlock ABI %d: %d is not tested", s.sys.landlock, abi)
			continue
		}
		s.sys.landlock = abi // what newer ones offer is left alone
		dir := t.TempDir()
		mover := shell(t, s, fmt.Sprintf(`cd %q && mkdir a b && echo x > a/f && ln a/f b/f && cat b/f; grep NoNewPrivs /proc/self/status`, dir))
		if got, _ := io.ReadAll(mover); string(got) != "x\nNoNewPrivs:\t1\n" {
			t.Errorf("ABI %d: a link to another folder gave %q", abi, got)
		}
	}
}
