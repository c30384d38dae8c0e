package mcpfunc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// forkedServer answers tools/call with who it is: its process, the one in which its module was imported, what that
// found, and what it finds itself.
const forkedServer = `
import os, site, sys
here = os.path.dirname(os.path.abspath(__file__))
packages = os.path.join(here, "site-packages")
if packages not in sys.path:
    sys.path[0] = packages
    site.addsitedir(packages)
if __name__ == "__main__":
    import json, heavy
    print("hello", sys.argv[1:], file=sys.stderr, flush=True)
    for line in sys.stdin:
        m = json.loads(line)
        if "id" not in m:
            continue
        r = {}
        if m["method"] == "initialize":
            r = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "f", "version": "1"}}
        elif m["method"] == "tools/call" and m["params"]["name"] == "exit":
            sys.exit(m["params"]["code"])
        elif m["method"] == "tools/call" and m["params"]["name"] == "devices":
            fds = [int(n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n)]
            r = {"read": len(os.read(heavy.random, 8)), "open": [n for n in fds if n > 2 and n not in (heavy.random, heavy.null)]}
        elif m["method"] == "tools/call" and m["params"]["name"] == "processes":
            import multiprocessing
            for way in "fork", "spawn", "forkserver":
                with multiprocessing.get_context(way).Pool(1) as pool:
                    r[way] = pool.apply(heavy.double, (21,))
        elif m["method"] == "tools/call":
            r = {"pid": os.getpid(), "born": heavy.BORN, "read": heavy.READ, "token": os.environ.get("TOKEN"), "args": sys.argv[1:], "group": os.getpgid(0)}
        print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": r}), flush=True)
`

// A forkedSelf is what it answers.
type forkedSelf struct {
	PID, Born, Group int
	Read, Token      *string
	Args             []string
}

func (s forkedSelf) forked() bool { return s.Born != s.PID && s.Born != 0 }

// syncBuffer takes a log from many goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A forkLab is an App with one packed server in Python, that is forked.
type forkLab struct {
	app *App
	url string
	log *syncBuffer
}

// newForkLab packs a server whose dependency is the module heavy. more is of its entry in the configuration. Besides there is
// a .pth file, whose lines Python runs where it looks for modules.
func newForkLab(t *testing.T, heavy, more string, pth ...string) *forkLab {
	t.Helper()
	python, err := exec.LookPath("/usr/bin/python3")
	if err != nil {
		if python, err = exec.LookPath("python3"); err != nil {
			testlimit.Lack(t, "there is no Python here")
		}
	}
	out, err := exec.Command(python, "-c", "import sys; print('3.%d' % sys.version_info[1])").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tree := filepath.Join(dir, "packed", "py")
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("packed/py/start.py", forkedServer)
	write("packed/py/fork.txt", "json\nheavy\nnone_of_that_name\n")
	write("packed/py/site-packages/heavy.py", "import os\nBORN = os.getpid()\nREAD = None\ndef double(x): return 2 * x\n"+heavy+"\n")
	write("packed/py/site-packages/lines.pth", strings.Join(pth, "\n"))
	write("mcp_config.json", fmt.Sprintf(`{"mcpServers":{"py":{"command":"uvx","args":["heavy","--option"]%s}}}`, more))
	sum, err := packmanifest.TreeSum(tree)
	if err != nil {
		t.Fatal(err)
	}
	none := strings.Repeat("0", 64)
	file := packmanifest.File{
		Format: packmanifest.Format, Platform: "linux/" + goarch(t), Python: strings.TrimSpace(string(out)),
		Servers: map[string]packmanifest.Server{"py": {
			From: packmanifest.Command{Command: "uvx", Args: []string{"heavy", "--option"}}, Lock: none, Tree: sum,
			Start: packmanifest.Start{Interpreter: packmanifest.Python, Flags: []string{"-s"}, Script: "packed/py/start.py", Replaces: 1, Fork: "packed/py/fork.txt"},
		}},
	}
	data, err := file.Encode()
	if err != nil {
		t.Fatal(err)
	}
	write("packed/mcp_packed.json", string(data))
	t.Setenv("PATH", filepath.Dir(python)+":"+os.Getenv("PATH"))
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	cfg, err := LoadConfig(filepath.Join(dir, "mcp_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	lab := &forkLab{log: new(syncBuffer)}
	app, srv := newApp(t, cfg, &Options{Logger: slog.New(slog.NewTextHandler(lab.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	lab.app, lab.url = app, srv.URL+"/api/mcp/py"
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(lab.log)
		}
	})
	return lab
}

func goarch(t *testing.T) string {
	t.Helper()
	var u syscall.Utsname
	if err := syscall.Uname(&u); err != nil {
		t.Fatal(err)
	}
	if u.Machine[0] == 'a' {
		return "arm64"
	}
	return "amd64"
}

func (c *client) self(t *testing.T) (s forkedSelf) {
	t.Helper()
	got, err := c.send("tools/call", `{"name":"self"}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSessionsAreForked(t *testing.T) {
	lab := newForkLab(t, "", "")
	first, second := connect(t, lab.url), connect(t, lab.url)
	a, b := first.self(t), second.self(t)
	if !a.forked() || !b.forked() || a.Born != b.Born || a.PID == b.PID {
		t.Errorf("the sessions are %+v and %+v: not two forks of one", a, b)
	}
	if a.Group != a.PID || strings.Join(a.Args, " ") != "--option" {
		t.Errorf("the first is in the group %d and has the arguments %q", a.Group, a.Args)
	}
	if s := lab.app.Stats(); s.Processes != 2 {
		t.Errorf("%d processes of servers, want 2", s.Processes)
	}
	// What ended is told as of any process, and the session goes on with another fork.
	if _, err := first.send("tools/call", `{"name":"exit","code":7}`); err == nil || !strings.Contains(err.Error(), "exited with code 7") {
		t.Errorf("the first ended with %v", err)
	}
	if again := first.self(t); !again.forked() || again.Born != a.Born || again.PID == a.PID {
		t.Errorf("after its end the first is %+v, and was %+v", again, a)
	}
	if !strings.Contains(lab.log.String(), "hello") {
		t.Error("the stderr of a fork is not in the log")
	}
}

func TestSessionsOutliveTheirForkServer(t *testing.T) {
	lab := newForkLab(t, "", "")
	c := connect(t, lab.url)
	before := c.self(t)
	if err := syscall.Kill(before.Born, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var after forkedSelf
	if !testlimit.Eventually(func() bool {
		got, err := c.send("tools/call", `{"name":"self"}`)
		return err == nil && json.Unmarshal([]byte(got), &after) == nil && after.PID != before.PID
	}) {
		t.Fatal("the session has no process any more")
	}
	// At once it starts in the ordinary way, later by fork again.
	if !testlimit.Eventually(func() bool {
		s := connect(t, lab.url).self(t)
		return s.forked() && s.Born != before.Born
	}) {
		t.Error("there is no fork server again")
	}
}

func TestForkIsGivenUpWhereImportsDoNotAllowIt(t *testing.T) {
	for name, tt := range map[string]struct{ heavy, want string }{
		"a thread":            {"import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()", "imports: a thread, started by an import"},
		"a file":              {"kept = open('/etc/passwd')", "left open by an import: /etc/passwd"},
		"a socket":            {"import socket\nkept = socket.socket()", "left open by an import: socket:"},
		"an event loop":       {"import asyncio\nkept = asyncio.new_event_loop()", "left open by an import: anon_inode:"},
		"a process":           {"import subprocess\nkept = subprocess.Popen(['/bin/true'])", "imports: a process, started by an import"},
		"a working directory": {"os.chdir('/')", "an import changes the working directory"},
		"shared memory":       {"import mmap\nkept = mmap.mmap(-1, 4096)", "shares memory with the processes that it forks: /dev/zero"},
		"a lock of processes": {"import multiprocessing\nkept = multiprocessing.Lock()", "shares memory with the processes that it forks: /dev/shm/"},
		"ends of processes":   {"import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)", "an import handles the end of processes (SIGCHLD)"},
		"a timer":             {"import signal\nsignal.setitimer(signal.ITIMER_REAL, 3600)", "an import sets a timer"},
	} {
		t.Run(name, func(t *testing.T) {
			lab := newForkLab(t, tt.heavy, "")
			for range 2 {
				if s := connect(t, lab.url).self(t); s.forked() {
					t.Errorf("it was forked: %+v", s)
				}
			}
			if n := strings.Count(lab.log.String(), tt.want); n != 1 {
				t.Errorf("the log says %d times %q", n, tt.want)
			}
		})
	}
}

// A dependency that has read a variable cannot be shared with a caller for whom that is another.
func TestCallersVariablesAreNotThoseOfAnother(t *testing.T) {
	for name, tt := range map[string]struct {
		heavy  string
		forked bool
		pth    string
	}{
		"not read": {"", true, ""}, "read by name": {"READ = os.environ.get('TOKEN')", false, ""}, "all are read": {"READ = dict(os.environ).get('TOKEN')", false, ""},
		"another is read": {"os.getenv('OTHER'); os.get_exec_path()", true, ""}, "set": {"os.environ.setdefault('TOKEN', 'by default')", false, ""},
		"read by a .pth file": {"", false, "import os; os.environ.get('TOKEN')"},
	} {
		t.Run(name, func(t *testing.T) {
			lab := newForkLab(t, tt.heavy, `,"env_from_headers":{"TOKEN":"X-Token"}`, tt.pth)
			for i := range 2 {
				token := "token-of-caller-" + strconv.Itoa(i)
				c := &client{t: t, url: lab.url, header: map[string][]string{"X-Token": {token}}}
				if _, err := c.send("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`); err != nil {
					t.Fatal(err)
				}
				s := c.self(t)
				if s.forked() != tt.forked || s.Token == nil || *s.Token != token || s.Read != nil && *s.Read != token {
					t.Errorf("caller %d has %+v", i, s)
				}
			}
		})
	}
}

// Sessions may write to the working directory. What all of them come of takes no module from there.
func TestNothingIsImportedFromTheWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"socket", "json", "ctypes", "heavy", "gc", "importlib", "none_of_that_name", "sitecustomize"} {
		if err := os.WriteFile(filepath.Join(dir, name+".py"), []byte("import os\nos.write(2, b'imported from the working directory\\n')\nos._exit(9)\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lab := newForkLab(t, "", fmt.Sprintf(`,"working_dir":%q`, dir))
	if s := connect(t, lab.url).self(t); !s.forked() {
		t.Errorf("it was not forked: %+v", s)
	}
	if strings.Contains(lab.log.String(), "imported from the working directory") {
		t.Error("a module of the working directory has run")
	}
}

func TestForkIsTurnedOff(t *testing.T) {
	lab := newForkLab(t, "", `,"fork":false`)
	if s := connect(t, lab.url).self(t); s.forked() {
		t.Errorf("it was forked: %+v", s)
	}
}

// What imports set is there for a session, unless it has been given something else.
func TestImportsMaySetVariables(t *testing.T) {
	lab := newForkLab(t, "os.environ['TOKEN'] = 'by imports'", "")
	if s := connect(t, lab.url).self(t); !s.forked() || s.Token == nil || *s.Token != "by imports" {
		t.Errorf("it is %+v", s)
	}
}

// A dependency may look at the script that it is imported for.
func TestImportsSeeTheScript(t *testing.T) {
	lab := newForkLab(t, "import __main__\nREAD = __main__.__file__", "")
	if s := connect(t, lab.url).self(t); !s.forked() || s.Read == nil || filepath.Base(*s.Read) != "start.py" {
		t.Errorf("it is %+v, and has read %v", s, s.Read)
	}
}

// Devices without a state may be open before the fork, and are after it.
func TestForkKeepsDevices(t *testing.T) {
	c := connect(t, newForkLab(t, "null, random = os.open('/dev/null', os.O_WRONLY), os.open('/dev/urandom', os.O_RDONLY)\nos.dup2(random, 9)\nos.close(random)\nrandom = 9", "").url)
	if s := c.self(t); !s.forked() {
		t.Fatalf("it is %+v", s)
	}
	if got, err := c.send("tools/call", `{"name":"devices"}`); err != nil || got != `{"read": 8, "open": []}` {
		t.Errorf("it answers %s, %v", got, err)
	}
}

// A forked server may start processes in every way of Python, which run its script and import its modules again.
func TestForkedServerStartsProcesses(t *testing.T) {
	c := connect(t, newForkLab(t, "", "").url)
	if s := c.self(t); !s.forked() {
		t.Fatalf("it is %+v", s)
	}
	if got, err := c.send("tools/call", `{"name":"processes"}`); err != nil || got != `{"fork": 42, "spawn": 42, "forkserver": 42}` {
		t.Errorf("it answers %s, %v", got, err)
	}
}
