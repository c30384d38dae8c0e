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
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// TestMain lets the test binary be an app that starts a child and waits to be killed.
func TestMain(m *testing.M) {
	testlimit.NoExitSleep()
	if len(os.Args) > 1 && os.Args[1] == "hostile" {
		hostile(os.Args[2:])
		return
	}
	if script := os.Getenv("PROCESS_TEST_APP"); script != "" {
		s := Open(slog.New(slog.DiscardHandler))
		s.TakeProcess()
		spec := Spec{Command: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}}
		if os.Getenv("PROCESS_TEST_SANDBOX") != "" {
			spec.Sandbox = Sandbox{ReadOnly: true, Env: homeEnv}
		}
		c, err := launchers[os.Getenv("PROCESS_TEST_LAUNCHER")](s, spec)
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
	if !testlimit.Eventually(ok) {
		t.Fatal("it never came to this:", what)
	}
}

const (
	// Each prints the two process ids of what must not survive, when it is as it is to be found.
	wrapper = `sh -c 'trap "" TERM HUP; echo $$; while :; do sleep 1; done' & echo $$; wait`
	daemon  = `(setsid sh -c 'trap "" TERM HUP; echo $$; exec >/dev/null 2>&1 </dev/null; while :; do sleep 1; done' &) ; echo $$; cat`
)

// odd has an empty environment, and a name that looks like other fields of /proc/pid/stat.
const odd = `d=$(mktemp -d); n="$d/a) Z 1
1 1 ("; cp "$(command -v sleep)" "$n"; env -i "$n" 100 & until [ /proc/$!/exe -ef "$n" ]; do sleep 0.01; done; rm -r "$d"; echo $!; echo $$; wait`

// bare is daemon with an empty environment, which leaves no mark.
const bare = `(setsid env -i /bin/sh -c 'trap "" TERM HUP; echo $$; exec >/dev/null 2>&1 </dev/null; while :; do sleep 1; done' &) ; echo $$; cat`

func pidsOf(t *testing.T, r io.Reader) (pids []int) {
	t.Helper()
	in := bufio.NewScanner(r)
	for len(pids) < 2 && in.Scan() {
		pid, err := strconv.Atoi(in.Text())
		if err != nil {
			t.Fatal(in.Text())
		}
		pids = append(pids, pid)
	}
	if len(pids) != 2 {
		t.Fatalf("%d processes, want 2: %v", len(pids), in.Err())
	}
	return pids
}

func TestNothingSurvivesAChild(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		whole  bool // the process is taken
	}{
		"wrapper": {wrapper, false}, "wrapper in a process of its own": {wrapper, true},
		"daemon": {daemon, false}, "daemon in a process of its own": {daemon, true},
		"daemon that cleared its environment in a process of its own": {bare, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if tt.whole {
				s.TakeProcess()
			}
			other := shell(t, s, daemon) // of another session, and not to be touched
			others := pidsOf(t, other)
			c := shell(t, s, tt.script)
			pids := pidsOf(t, c)
			c.Kill()
			if _, ok := s.sys.currentTier().(*adopted); ok && tt.script == bare { // whose it is cannot be told while others live
				eventually(t, "end of the child", func() bool { return !alive(c.PID()) })
				other.Kill()
			}
			for _, pid := range pids {
				eventually(t, fmt.Sprintf("end of %d", pid), func() bool { return !alive(pid) })
			}
			for _, pid := range others {
				if !alive(pid) && tt.script != bare {
					t.Errorf("%d of another child was killed", pid)
				}
			}
			other.Kill()
			for _, pid := range others {
				eventually(t, fmt.Sprintf("end of %d", pid), func() bool {
					p, exists := inspect(pid, make([]byte, statBytes))
					return !exists || p.zombie && p.parent != os.Getpid() // not ours to wait for
				})
			}
		})
	}
}

// What another part of the program has started is not killed and not waited for, whether the process
// is taken or not.
func TestProcessesOfOthersAreLeftAlone(t *testing.T) {
	for name, whole := range map[string]bool{"guest": false, "process of its own": true} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if whole {
				s.TakeProcess()
			}
			foreign := func(attr *syscall.SysProcAttr, args ...string) *exec.Cmd {
				cmd := exec.Command(args[0], args[1:]...)
				cmd.SysProcAttr = attr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				return cmd
			}
			setsid := &syscall.SysProcAttr{Setsid: true}
			raw, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit 9"}, nil) // not by os/exec: nobody has a descriptor of it
			if err != nil {
				t.Fatal(err)
			}
			runs := foreign(setsid, "sleep", "100")
			grouped := foreign(&syscall.SysProcAttr{Setpgid: true}, "sleep", "100")
			dead := foreign(setsid, "sh", "-c", "exit 7") // waited for late
			plain := foreign(nil, "sh", "-c", "exit 8")
			double := exec.Command("sh", "-c", `(setsid sleep 100 >/dev/null 2>&1 </dev/null & echo $!)`)
			out, err := double.Output()
			if err != nil {
				t.Fatal(err)
			}
			daemon, err := strconv.Atoi(strings.TrimSpace(string(out)))
			if err != nil {
				t.Fatal(err)
			}
			for range 3 { // sweeps, further apart than it takes to wait for two rounds
				c := shell(t, s, "exit 0")
				c.Wait()
				time.Sleep(2 * sweepDelay)
			}
			if !alive(runs.Process.Pid) || !alive(grouped.Process.Pid) || !alive(daemon) {
				t.Error("a process of another part of the program was killed")
			}
			syscall.Kill(daemon, syscall.SIGKILL)
			runs.Process.Kill()
			grouped.Process.Kill()
			if _, pinned := s.sys.currentTier().(*pinned); pinned || !whole {
				var status syscall.WaitStatus
				if _, err := syscall.Wait4(raw, &status, 0, nil); err != nil || status.ExitStatus() != 9 {
					t.Errorf("who started it waited for it: %v, %v", status.ExitStatus(), err)
				}
			}
			for cmd, want := range map[*exec.Cmd]string{runs: "signal: killed", grouped: "signal: killed", dead: "exit status 7", plain: "exit status 8"} {
				if err := cmd.Wait(); err == nil || err.Error() != want {
					t.Errorf("its owner waited for it: %v, want %s", err, want)
				}
			}
		})
	}
}

// Without a shell there is no guard, and all else is as it was.
func TestGuardIsDispensable(t *testing.T) {
	s := open(t)
	s.sys.guard.shell = "/none/sh"
	s.TakeProcess()
	if got := s.Isolation(); !strings.Contains(got, "sub-reaper, guard") {
		t.Errorf("before the first child: %s", got)
	}
	c := shell(t, s, "echo ready")
	if got := line(t, c); got != "ready" {
		t.Errorf("the child said %q", got)
	}
	if got := s.Isolation(); strings.Contains(got, "guard") {
		t.Errorf("with a guard that could not be started: %s", got)
	}
}

func isSubreaper(t *testing.T) bool {
	t.Helper()
	var is int32
	if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	return is != 0
}

func TestProcessIsGivenBack(t *testing.T) {
	a, b := Open(slog.New(slog.DiscardHandler)), Open(slog.New(slog.DiscardHandler))
	shell(t, a, "cat")
	if isSubreaper(t) {
		t.Error("a process that is not taken is a sub-reaper")
	}
	a.TakeProcess()
	b.TakeProcess()
	if !isSubreaper(t) {
		t.Error("a process that is taken is no sub-reaper")
	}
	guard := guardOf(t, os.Getpid()) // although the child was there before
	a.Close()
	if !isSubreaper(t) {
		t.Error("the first to close gave back what the second still needs")
	}
	b.Close()
	b.TakeProcess() // too late
	if isSubreaper(t) {
		t.Error("the process is still a sub-reaper after the last has closed")
	}
	if alive(guard) {
		t.Error("the guard is still there")
	}
}

func TestNothingSurvivesTheApp(t *testing.T) {
	for name, script := range map[string]string{
		"wrapper": wrapper, "daemon": daemon, "odd name": odd,
		"daemon that cleared its environment": bare,
		"daemon with a forged mark":           strings.Replace(bare, "env -i", "env -i "+markName+"=123456789000000001", 1),
	} {
		t.Run(name, func(t *testing.T) {
			app := exec.Command("/proc/self/exe")
			app.Env = append(os.Environ(), "PROCESS_TEST_APP="+script, "PROCESS_TEST_LAUNCHER="+current)
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
		if p.parent == app && strings.Contains(string(cmdline), "\x00mcpfunc-guard\x00") {
			return p.pid
		}
	}
	t.Fatal("the app has no guard")
	return 0
}

// The first thread is whom a child meets that signals or traces the app. It must be in no child's
// domain, from any thread that children are started from.
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
	if s.sys.walls.abi < 6 {
		t.Logf("Landlock ABI %d: only what it offers is tested", s.sys.walls.abi)
	}
	victim := shell(t, s, `echo ready; cat`)
	line(t, victim)
	for name, pid := range map[string]int{"sibling": victim.PID(), "app": os.Getpid()} {
		spy := shell(t, s, fmt.Sprintf(`cat /proc/%d/environ; kill -STOP %d 2>/dev/null && echo signalled; echo end`, pid, pid))
		got, _ := io.ReadAll(spy)
		want := "end\n"
		if s.sys.walls.abi == 0 {
			want = string(got)
		}
		if string(got) != want {
			syscall.Kill(pid, syscall.SIGCONT)
			t.Errorf("%s: the spy saw %q", name, got)
		}
	}
	if s.sys.walls.abi == 0 {
		testlimit.Lack(t, "this kernel has no Landlock, so nothing was tested")
	}
}

func TestOnlyTheFirstLandlockDeniesWhatServersNeed(t *testing.T) {
	s := open(t)
	for abi := range 8 {
		s.sys.walls.abi = abi
		if text, hint := s.Limitation(); (text != "") != (abi == 1) || (hint != "") != (abi == 1) {
			t.Errorf("ABI %d: %q, %q", abi, text, hint)
		}
	}
}

// A domain keeps processes apart, not files: uv, git and others move and link from folder to folder.
func TestChildrenMoveFilesBetweenFolders(t *testing.T) {
	for _, abi := range []int{2, 6} {
		s := open(t)
		if s.sys.walls.abi < abi {
			t.Logf("Landlock ABI %d: %d is not tested", s.sys.walls.abi, abi)
			continue
		}
		s.sys.walls.abi = abi // what newer ones offer is left alone
		dir := t.TempDir()
		mover := shell(t, s, fmt.Sprintf(`cd %q && mkdir a b && echo x > a/f && ln a/f b/f && cat b/f; grep NoNewPrivs /proc/self/status`, dir))
		if got, _ := io.ReadAll(mover); string(got) != "x\nNoNewPrivs:\t1\n" {
			t.Errorf("ABI %d: a link to another folder gave %q", abi, got)
		}
	}
}
