package mcpfunc_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// server is an MCP server that leaves a process behind, which it tells of in a file.
const server = `setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >>"$LEFT"
read -r line
echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"x","version":"1"}}}'
cat >/dev/null`

func init() {
	if os.Getenv("RUNTIME_TEST_EMBEDDED") != "" {
		embed()
		os.Exit(0)
	}
}

// embed is a program with work of its own, and processes of its own, that has an App in it. It prints what the App
// did to it: a line for each change, or "untouched". With the argument "serve" it lets the App serve, which may
// change the process, but only until it returns.
func embed() {
	serve := len(os.Args) > 1 && os.Args[1] == "serve"
	warmUp()
	before := look()
	if before.subreaper {
		complain("the process was a sub-reaper before: nothing is tested")
	}
	owned := startOwned()
	left := filepath.Join(os.TempDir(), "left-"+strconv.Itoa(os.Getpid()))
	defer os.Remove(left)

	app, err := mcpfunc.New(&mcpfunc.Config{Servers: []mcpfunc.Server{
		{Name: "a", Command: "/bin/sh", Args: []string{"-c", server}, Env: map[string]string{"LEFT": left}},
	}}, &mcpfunc.Options{Logger: slog.New(slog.DiscardHandler), Grace: time.Second})
	must(err)
	addr, stop := host(app, serve)
	for range 3 {
		session(addr)
		time.Sleep(600 * time.Millisecond) // longer than two looks at what servers leave behind
		during := look()
		if during.subreaper != serve {
			complain("while it runs, sub-reaper: ", during.subreaper)
		}
		if want := before.processors; !serve && during.processors != want {
			complain("while it runs, GOMAXPROCS is ", during.processors, ", not ", want)
		}
	}
	pids, err := os.ReadFile(left)
	must(err)
	if n := len(strings.Fields(string(pids))); n != 3 {
		complain(n, " processes were left behind, not 3: nothing is tested")
	}
	for _, pid := range strings.Fields(string(pids)) {
		for deadline := time.Now().Add(10 * time.Second); running(pid); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				complain("process ", pid, ", which a server left behind, is still there")
				break
			}
		}
	}
	owned.check()
	stop()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		after := look()
		if after.equal(before) {
			break
		}
		if time.Now().After(deadline) {
			complain("before: ", before, "; after Close: ", after)
			stacks := make([]byte, 1<<20)
			complain(string(stacks[:runtime.Stack(stacks, true)]))
			break
		}
	}
	if !complained {
		fmt.Println("untouched")
	}
}

var complained bool

func complain(what ...any) {
	complained = true
	fmt.Println(fmt.Sprint(what...))
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// warmUp lets the Go runtime open what it opens once.
func warmUp() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	srv := &http.Server{}
	go srv.Serve(listener)
	resp, err := http.Get("http://" + listener.Addr().String())
	must(err)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	srv.Close()
	must(exec.Command("/bin/true").Run())
	time.Sleep(100 * time.Millisecond)
}

// state is of the process.
type state struct {
	processors, goroutines int
	subreaper              bool
	files                  []string
}

func (s state) equal(other state) bool {
	return s.processors == other.processors && s.goroutines <= other.goroutines && s.subreaper == other.subreaper && slices.Equal(s.files, other.files)
}

func look() (s state) {
	s.processors, s.goroutines = runtime.GOMAXPROCS(0), runtime.NumGoroutine()
	var is int32
	must(unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0, 0, 0))
	s.subreaper = is != 0
	fds, err := os.ReadDir("/proc/self/fd")
	must(err)
	for _, fd := range fds {
		to, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && !strings.HasSuffix(to, "/fd") { // not the directory that is being read
			s.files = append(s.files, to)
		}
	}
	slices.Sort(s.files)
	return s
}

func running(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// owned are processes of the program.
type owned struct {
	runs   []*exec.Cmd
	ends   []*exec.Cmd // with 7, at once; waited for late
	daemon string
}

func startOwned() (o owned) {
	for _, attr := range []*syscall.SysProcAttr{nil, {Setpgid: true}, {Setsid: true}} {
		run, end := exec.Command("sleep", "1000"), exec.Command("sh", "-c", "exit 7")
		run.SysProcAttr, end.SysProcAttr = attr, attr
		must(run.Start())
		must(end.Start())
		o.runs, o.ends = append(o.runs, run), append(o.ends, end)
	}
	out, err := exec.Command("sh", "-c", `(setsid sh -c 'sleep 1000 >/dev/null & echo $!' </dev/null 2>/dev/null &) | cat`).Output()
	if err != nil {
		must(err)
	}
	o.daemon = strings.TrimSpace(string(out))
	return o
}

func (o owned) check() {
	for _, cmd := range o.runs {
		if !running(strconv.Itoa(cmd.Process.Pid)) {
			complain("a process of the program was killed")
		}
		cmd.Process.Kill()
		if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
			complain("a process of the program that was killed by it: ", err)
		}
	}
	for _, cmd := range o.ends {
		if err := cmd.Wait(); err == nil || err.Error() != "exit status 7" {
			complain("a process of the program that ended by itself: ", err)
		}
	}
	if !running(o.daemon) {
		complain("a daemon of the program was killed")
	}
	pid, err := strconv.Atoi(o.daemon)
	must(err)
	syscall.Kill(pid, syscall.SIGKILL)
}

// host serves app, by itself or in a server of the program's.
func host(app *mcpfunc.App, serve bool) (addr string, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	addr = listener.Addr().String()
	served := make(chan error)
	if serve {
		listener.Close()
		ctx, cancel := context.WithCancel(context.Background())
		go func() { served <- app.ListenAndServe(ctx, addr) }()
		for {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				conn.Close()
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		return addr, func() {
			http.DefaultClient.CloseIdleConnections()
			cancel()
			must(<-served)
		}
	}
	srv := &http.Server{Handler: app}
	go func() { served <- srv.Serve(listener) }()
	return addr, func() {
		app.Close()
		http.DefaultClient.CloseIdleConnections()
		srv.Close()
		<-served
	}
}

// session opens a session and ends it.
func session(addr string) {
	const body = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`
	post, err := http.NewRequest(http.MethodPost, "http://"+addr+"/api/mcp/a", strings.NewReader(body))
	must(err)
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := http.DefaultClient.Do(post)
	must(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		complain("initialize: ", resp.Status)
	}
	end, err := http.NewRequest(http.MethodDelete, post.URL.String(), nil)
	must(err)
	end.Header.Set("Mcp-Session-Id", resp.Header.Get("Mcp-Session-Id"))
	resp, err = http.DefaultClient.Do(end)
	must(err)
	resp.Body.Close()
}
