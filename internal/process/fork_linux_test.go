package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

func init() { launchers["fork"] = forkAndRun }

// A forked child becomes the program that a test wants, and keeps what it was given before.
const becomes = `
import os
if __name__ == "__main__":
    import json, os, shutil
    words = json.loads(os.environ.pop("BECOME"))
    os.execve(shutil.which(words[0]) or words[0], words, os.environ)
`

// A talker answers what it is asked about itself.
const talker = `
import os, sys
shared = bytearray(b"from the parent")
if __name__ == "__main__":
    for line in sys.stdin:
        print(repr(eval(line)), flush=True)
`

// forkServers are those of the supervisors that tests have opened.
var forkServers struct {
	sync.Mutex
	of map[string]*ForkServer // by supervisor and sandbox
}

// python is one that everyone may run, or "".
func python() string {
	for _, path := range []string{"/usr/bin/python3", "/usr/local/bin/python3"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		return ""
	}
	return path
}

func needPython(t *testing.T) {
	t.Helper()
	if python() == "" {
		testlimit.Lack(t, "there is no Python here")
	}
}

// startForkServer starts one whose children run a script, and waits until it is ready.
func startForkServer(s *Supervisor, script string, env ...string) (*ForkServer, error) {
	return startSandboxedForkServer(s, script, Sandbox{}, env...)
}

func startSandboxedForkServer(s *Supervisor, script string, box Sandbox, env ...string) (*ForkServer, error) {
	source, err := os.ReadFile("../child/forkserver.py")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "forkserver-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // all is read before it is ready
	start, modules := filepath.Join(dir, "start.py"), filepath.Join(dir, "fork.txt")
	if err := errors.Join(os.WriteFile(start, []byte(script), 0o600), os.WriteFile(modules, []byte("json\nshutil\n"), 0o600)); err != nil {
		return nil, err
	}
	plan, err := json.Marshal(map[string]any{"script": start, "args": []string{}, "modules": modules, "watch": false})
	if err != nil {
		return nil, err
	}
	const bootstrap = `import sys; sys.path.remove(""); import socket; c = socket.socket(fileno=3); exec(compile(c.recv(1 << 17), "<fork server>", "exec"), {"__name__": "mcpfunc", "control": c})`
	f, err := s.StartForkServer(Spec{Command: python(), Args: []string{"-s", "-c", bootstrap}, Env: append(env, "PATH="+os.Getenv("PATH")), Sandbox: box}, [][]byte{source, plan})
	if err != nil {
		return nil, err
	}
	go io.Copy(io.Discard, f.Stderr())
	go io.Copy(io.Discard, f)
	report, err := f.Ready()
	if err == nil && !strings.Contains(string(report), `"problem": null`) {
		err = errors.New(string(report))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// forkAndRun starts what spec says in a forked child, where its sandbox allows that.
func forkAndRun(s *Supervisor, spec Spec) (*Child, error) {
	if spec.Sandbox.ReadOnly {
		return s.Start(spec)
	}
	key := fmt.Sprintf("%p %v", s, spec.Sandbox.Ports)
	if spec.Sandbox.NoNetwork {
		key += " no network"
	}
	forkServers.Lock()
	f := forkServers.of[key]
	var err error
	if f == nil {
		if f, err = startSandboxedForkServer(s, becomes, spec.Sandbox); err == nil {
			if forkServers.of == nil {
				forkServers.of = map[string]*ForkServer{}
			}
			forkServers.of[key] = f
		}
	}
	forkServers.Unlock()
	if err != nil {
		return nil, err
	}
	if spec.Command == "/proc/self/exe" { // ours, and not Python's
		if spec.Command, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	words, err := json.Marshal(append([]string{spec.Command}, spec.Args...))
	if err != nil {
		return nil, err
	}
	spec.Env = append(spec.Env, "BECOME="+string(words))
	return f.Fork(spec)
}

// What holds for a child holds for one that was forked.
func TestForked(t *testing.T) {
	needPython(t)
	current = "fork"
	defer func() { current = "exec" }()
	for name, test := range map[string]func(*testing.T){
		"talks": TestChildTalks, "all that was written before a death is read": TestAllThatWasWrittenBeforeADeathIsRead,
		"death is seen although a grandchild holds stdout": TestDeathIsSeenAlthoughAGrandchildHoldsStdout,
		"stop goes down the ladder":                        TestStopGoesDownTheLadder, "kill frees a blocked write": TestKillFreesABlockedWrite,
		"sees only its environment": TestChildSeesOnlyItsEnvironment, "nothing starts after close": TestNothingStartsAfterClose,
		"many": TestManyChildren, "is limited": TestChildIsLimited,
		"nothing survives it": TestNothingSurvivesAChild, "processes of others are left alone": TestProcessesOfOthersAreLeftAlone,
		"nothing survives the app": TestNothingSurvivesTheApp, "cannot read or signal others": TestChildrenCannotReadOrSignalOthers,
		"moves files between folders": TestChildrenMoveFilesBetweenFolders,
		"peer is known":               TestPeerIsKnown, "peer listener admits": TestPeerListenerAdmits, "cannot harm others": TestChildrenCannotHarmOthers,
		"forged marks do not help": TestForgedMarksDoNotHelp, "mark is its alone": TestPinnedMarkIsTheChildsAlone,
		"need not wait until a large message is read":        TestChildNeedNotWaitUntilALargeMessageIsRead,
		"writer need not wait until a large message is read": TestWriterNeedNotWaitUntilALargeMessageIsRead,
		"few pipes are wide":                                 TestOnlyAFewPipesAreWide,
	} {
		t.Run(name, test)
	}
}

// ask has a talker evaluate an expression.
func ask(t *testing.T, c *Child, expression string) string {
	t.Helper()
	if _, err := io.WriteString(c, expression+"\n"); err != nil {
		t.Fatal(err)
	}
	return line(t, c)
}

func fork(t *testing.T, f *ForkServer, env ...string) *Child {
	t.Helper()
	c, err := f.Fork(Spec{Command: "talker", Env: env})
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, c.Stderr())
	return c
}

// Nothing of a caller is in what the children of others are copies of, and no way leads back to it.
func TestForkedChildHasNothingOfOthers(t *testing.T) {
	needPython(t)
	s := open(t)
	s.TakeProcess()
	f, err := startForkServer(s, talker, "SHARED=by all")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s.Children() != 0 {
		t.Error("a fork server is counted as a server's process")
	}
	const canary = "canary-of-the-first-caller"
	first := fork(t, f, "SHARED=by all", "TOKEN="+canary)
	if got := ask(t, first, `os.environ["TOKEN"]`); got != "'"+canary+"'" {
		t.Errorf("the first has the token %s", got)
	}
	second := fork(t, f, "ONLY=mine")
	// A pattern that does not match itself.
	const find = `[a for l in open("/proc/self/maps") for a in [l.split()] if a[1][0] == "r" and not a[-1].startswith(("[vvar", "[vsyscall")) and (lambda m, r: (m.seek(r[0]), __import__("re").search(%s, m.read(r[1] - r[0])))[1])(open("/proc/self/mem", "rb"), [int(x, 16) for x in a[0].split("-")])] != []`
	for what, tt := range map[string]struct{ expression, want string }{
		"environment":             {`sorted(os.environ)`, fmt.Sprintf("['MCPFUNC_CHILD', 'ONLY'%s]", lcCtype(ask(t, second, `sorted(os.environ)`)))},
		"what it finds of itself": {fmt.Sprintf(find, `b"from the [p]arent"`), "True"},
		"what it finds of others": {fmt.Sprintf(find, `b"canary-of-[t]he-first-caller"`), "False"},
		"descriptors":             {`[n for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n) and int(n) > 2]`, "[]"},
		"process group":           {`os.getpid() == os.getpgid(0)`, "True"},
		"mark that others see":    {`[l.split("=")[1] for l in open("/proc/self/environ").read().split("\0") if l.startswith("MCPFUNC_CHILD")][0]`, "'" + second.mark.text + "'"},
		"no new privileges":       {`"NoNewPrivs:\t1" in open("/proc/self/status").read()`, "True"},
		"its main module":         {`__name__, sys.modules["__main__"].__file__[-8:], sys.argv[0][-8:]`, "('__main__', 'start.py', 'start.py')"},
	} {
		if got := ask(t, second, tt.expression); got != tt.want {
			t.Errorf("%s: %s, want %s", what, got, tt.want)
		}
	}
	if s.sys.walls.abi >= 6 {
		for what, pid := range map[string]int{"its sibling": first.PID(), "the fork server": f.PID()} {
			for _, way := range []string{
				fmt.Sprintf(`open("/proc/%d/mem", "rb")`, pid), fmt.Sprintf(`open("/proc/%d/environ", "rb").read()`, pid),
				fmt.Sprintf(`os.readlink("/proc/%d/fd/0")`, pid), fmt.Sprintf(`os.kill(%d, 18)`, pid),
			} {
				spy := fork(t, f)
				io.WriteString(spy, way+"\n")
				spy.Close()
				if out, _ := io.ReadAll(spy); len(out) > 0 {
					t.Errorf("a child did to %s %s: %.100q", what, way, out)
				}
			}
		}
	}
	first.Close()
	if err := first.Wait(); err != nil {
		t.Error(err)
	}
}

// lcCtype is what Python may add by itself where no locale is set (PEP 538).
func lcCtype(names string) string {
	if strings.Contains(names, "LC_CTYPE") {
		return ", 'LC_CTYPE'"
	}
	return ""
}

// Random numbers and hashes of what is secret: children share what was made before the fork and nothing made after.
func TestForkedChildrenDrawOtherNumbers(t *testing.T) {
	needPython(t)
	f, err := startForkServer(open(t), `
if __name__ != "__main__": # before the fork
    import builtins, random, uuid, tempfile, secrets, ssl
    class Own(random.Random):
        __hash__ = None
        def seed(self, a=None, version=2): super().seed(a, version)
    for name, it in dict(random=random, uuid=uuid, tempfile=tempfile, secrets=secrets, ssl=ssl, made=random.Random(), own=Own(),
                         seeded=random.Random(42), again=random.Random()).items():
        setattr(builtins, name, it)
    again.seed(42)
    secrets.token_bytes(8)
`+talker)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, b := fork(t, f), fork(t, f)
	for _, draw := range []string{
		`random.random()`, `made.random()`, `own.random()`, `random.Random().random()`, `uuid.uuid4()`, `uuid.uuid1()`, `tempfile.mktemp()`,
		`secrets.token_bytes(8)`, `ssl.RAND_bytes(8)`, `os.urandom(8)`,
	} {
		if x, y := ask(t, a, draw), ask(t, b, draw); x == y {
			t.Errorf("%s gives both %s", draw, x)
		}
	}
	for _, draw := range []string{`seeded.random()`, `again.random()`} { // as without a fork
		if x := ask(t, a, draw); x != "0.6394267984578837" {
			t.Errorf("%s gives %s, want what the seed 42 gives", draw, x)
		}
	}
}

func TestChildrenDieWithTheirForkServer(t *testing.T) {
	needPython(t)
	for name, whole := range map[string]bool{"guest": false, "process of its own": true} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if whole {
				s.TakeProcess()
			}
			f, err := startForkServer(s, talker)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var all []*Child
			for range 8 {
				all = append(all, fork(t, f))
			}
			f.Kill()
			for _, c := range all {
				var exit Exit
				if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 || err.Error() != "signal: killed" {
					t.Errorf("a child of a fork server that is gone: %v", err)
				}
				eventually(t, "end of the child", func() bool {
					_, exists := inspect(c.PID(), make([]byte, statBytes))
					return !exists || !whole && !alive(c.PID())
				})
			}
			if _, err := f.Fork(Spec{Command: "talker"}); err == nil {
				t.Error("a fork server that is gone has forked")
			}
		})
	}
}

// No matter which dies first, nothing is left: neither a process nor what it started, nor a zombie.
func TestKillCyclesOfForks(t *testing.T) {
	needPython(t)
	for round := range testlimit.Rounds(120) / 10 {
		s := Open(slog.New(slog.DiscardHandler))
		s.TakeProcess()
		var all []*Child
		var pids []int
		for range 3 {
			c, err := forkAndRun(s, Spec{Command: "sh", Args: []string{"-c", daemon}, Env: []string{"PATH=" + os.Getenv("PATH")}})
			if err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, c.Stderr())
			all, pids = append(all, c), append(pids, pidsOf(t, c)...)
		}
		forkServers.Lock()
		f := forkServers.of[fmt.Sprintf("%p %v", s, []uint16(nil))]
		forkServers.Unlock()
		pids = append(pids, f.PID())
		switch round % 4 {
		case 0:
			f.Kill()
		case 1:
			for _, c := range all {
				c.Kill()
			}
		case 2:
			all[0].Kill()
			f.Kill()
			all[1].Kill()
		}
		if round%4 != 3 {
			for _, c := range all {
				c.Wait()
			}
		}
		s.Close()
		f.Close()
		for _, pid := range pids {
			eventually(t, fmt.Sprintf("end of %d in round %d", pid, round), func() bool {
				_, exists := inspect(pid, make([]byte, statBytes))
				return !exists
			})
		}
		if n := s.Children(); n != 0 {
			t.Errorf("%d children left", n)
		}
	}
}
