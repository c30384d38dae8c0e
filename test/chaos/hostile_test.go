//go:build chaos

package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tries are what a hostile server counts of its own: how often it tried, and what succeeded that must not.
type tries struct {
	Tries   int
	Escapes []string
}

func (t *tries) try(what string, err error) {
	t.Tries++
	if err == nil {
		t.Escapes = append(t.Escapes, what)
	}
}

// attack is what a server does to processes that are not its own. It goes on for a.Delay, and then tells its tries.
func (s *server) attack(r request) {
	a := r.Params.Arguments
	until := time.Now().Add(a.Delay)
	var told tries
	switch r.Params.Name {
	case "reach": // for all processes that it sees
		for time.Now().Before(until) {
			told.reach()
		}
	case "connect": // to the app, as if it were the host
		for time.Now().Before(until) {
			told.connect(a.URL)
		}
	case "daemons", "bomb":
		born, err := multiply(r.Params.Name, a.N, until)
		if err != nil {
			s.message(map[string]any{"id": r.ID, "error": map[string]any{"code": -32000, "message": err.Error()}})
			return
		}
		told.Tries = born // the suite counts what is left of them
	case "glut": // memory, up to a.N megabytes, which no process of this server may exceed
		limit := uint64(a.N) << 20
		unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: limit, Max: limit})
		hoard(2 * a.N)
	default:
		s.message(map[string]any{"id": r.ID, "error": map[string]any{"code": -32602, "message": "no such tool"}})
		return
	}
	text, _ := json.Marshal(told)
	s.text(r, string(text))
}

// reach tries to signal and to change every process that it sees. Processes of other programs it would signal with
// zero, and give what they have: the kernel asks the same, and nothing happens to them where it says yes.
func (t *tries) reach() {
	me := os.Getpid()
	program, _, _ := strings.Cut(string(procFile(me, "cmdline")), "\x00")
	for _, p := range processes() {
		if p.pid == me || p.zombie {
			continue
		}
		try := func(what string, err error) { t.try(fmt.Sprintf("%s of %v", what, p), err) }
		its, _, _ := strings.Cut(string(procFile(p.pid, "cmdline")), "\x00")
		if its != program || p.name != "handler" && p.name != "server" {
			try("signal", syscall.Kill(p.pid, 0))
			if kernels, err := unix.Getpriority(unix.PRIO_PROCESS, p.pid); err == nil {
				try("priority", unix.Setpriority(unix.PRIO_PROCESS, p.pid, 20-kernels)) // the system call returns 20 less it
			}
			var processors unix.CPUSet
			if err := unix.SchedGetaffinity(p.pid, &processors); err == nil {
				try("processors", unix.SchedSetaffinity(p.pid, &processors))
			}
			continue
		}
		try("signal", syscall.Kill(p.pid, syscall.SIGKILL))
		try("signal of a thread", unix.Tgkill(p.pid, p.pid, syscall.SIGKILL))
		try("limit", unix.Prlimit(p.pid, unix.RLIMIT_CPU, &unix.Rlimit{}, nil))
		try("priority", unix.Setpriority(unix.PRIO_PROCESS, p.pid, 19))
		try("processors", unix.SchedSetaffinity(p.pid, &unix.CPUSet{1}))
		try("out-of-memory score", os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", p.pid), []byte("1000"), 0))
		try("trace", unix.PtraceAttach(p.pid))
		for _, file := range []string{"mem", "environ"} {
			f, err := os.Open(fmt.Sprintf("/proc/%d/%s", p.pid, file))
			if err == nil {
				f.Close()
			}
			try(file, err)
		}
	}
}

// connect tries to open a session of a neighbour, and to read what the app tells the host alone.
func (t *tries) connect(url string) {
	c := http.Client{Timeout: 10 * time.Second}
	defer c.CloseIdleConnections()
	answered := func(what string, resp *http.Response, err error) {
		if err == nil {
			resp.Body.Close()
		}
		t.try(what, err)
	}
	resp, err := c.Post(url+"/api/mcp/neighbour", "application/json", strings.NewReader(
		`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"`+version+`","capabilities":{},"clientInfo":{"name":"chaos","version":"1"}}}`))
	answered("session", resp, err)
	resp, err = c.Get(url + "/api/session_metrics")
	answered("metrics", resp, err)
}

// multiply starts n "daemons" or a "bomb" of n generations, which outlive this process if they can, and returns how
// many processes came of it until then.
func multiply(role string, n int, until time.Time) (born int, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	end := strconv.FormatInt(time.Now().Add(lifetime).UnixNano(), 10)
	roots, depth := n, 0
	if role == "bomb" {
		roots, depth = 1, n
	}
	for range roots {
		cmd := offspring(w, role, end, depth)
		if err = cmd.Start(); err != nil {
			break
		}
		go cmd.Wait()
	}
	w.Close()
	r.SetReadDeadline(until)
	for b := make([]byte, 512); ; {
		n, readErr := r.Read(b)
		born += n
		if readErr == io.EOF && err == nil {
			err = fmt.Errorf("all %d processes of %s have ended", born, role)
		}
		if readErr != nil {
			return born, err
		}
	}
}

// offspring is a process in a session of its own, without a mark in its environment. It says on w that it is there.
func offspring(w *os.File, role, end string, depth int) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", role, end, strconv.Itoa(depth))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env, cmd.ExtraFiles = []string{"GOMAXPROCS=1", "GORACE=atexit_sleep_ms=0"}, []*os.File{w}
	return cmd
}

// increase is the life of one of these processes. A daemon starts the next one and is gone before anybody looks. The
// bomb is a tree whose leaves end at once and are started again. Both end by themselves with the lifetime.
func increase(role string, args []string) int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	w := os.NewFile(readyFD, "ready")
	w.WriteString(".")
	nanos, _ := strconv.ParseInt(args[0], 10, 64)
	depth, _ := strconv.Atoi(args[1])
	end := time.Unix(0, nanos)
	if role == "daemons" {
		if time.Now().Before(end) {
			offspring(w, role, args[0], 0).Start()
		}
		return 0
	}
	if depth == 0 {
		return 0
	}
	var two sync.WaitGroup
	for range 2 {
		two.Go(func() {
			for time.Now().Before(end) {
				offspring(w, role, args[0], depth-1).Run()
			}
		})
	}
	two.Wait()
	return 0
}
