package process

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The Functions host ends a handler by SIGKILL and nothing else, so a handler cannot clean up after
// itself. Its children die with it (PR_SET_PDEATHSIG), but what they started does not: under npx
// that is the server itself. The guard is this same program, started once under another name; it
// learns the process groups over a pipe, and when the pipe ends it kills what is left and exits.

const guardName = "mcpfunc-guard"

// A package that starts its own program under another name must look before main does: the program
// is the user's, and does not know of it.
func init() {
	if len(os.Args) == 2 && os.Args[0] == guardName {
		stand(os.Args[1])
		os.Exit(0)
	}
}

// guard is the app's end.
type guard struct {
	nonce string
	cmd   *exec.Cmd

	mu   sync.Mutex
	pipe *os.File // nil when there is no guard; guarded by mu
}

func (g *guard) start() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	g.cmd = &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{guardName, g.nonce}, Stdin: r,
		Env:         []string{"GOMAXPROCS=1", "GOGC=off"}, // it does nothing for all its life but the last moment
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},   // a Ctrl-C is not for it
	}
	if err := g.cmd.Start(); err != nil {
		w.Close()
		return err
	}
	g.pipe = w
	return nil
}

// track says that the group of pid has begun ('+') or ended ('-'). A pipe takes so short a line
// whole or, with a guard that does not read, not at all; then the marks still tell.
func (g *guard) track(what byte, pid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pipe != nil {
		g.pipe.SetWriteDeadline(time.Now().Add(time.Second))
		fmt.Fprintf(g.pipe, "%c%d\n", what, pid)
	}
}

func (g *guard) dismiss() {
	g.mu.Lock()
	pipe := g.pipe
	g.pipe = nil
	g.mu.Unlock()
	if pipe != nil {
		g.cmd.Process.Kill() // there is nothing left for it to do
		g.cmd.Wait()
		pipe.Close()
	}
}

// stand is the guard's life.
func stand(nonce string) {
	groups := map[int]bool{}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		line := in.Text()
		pid, err := strconv.Atoi(strings.TrimLeft(line, "+-"))
		if err != nil || pid <= 1 {
			continue
		}
		if strings.HasPrefix(line, "+") {
			groups[pid] = true
		} else {
			delete(groups, pid)
		}
	}
	for range 100 {
		if killLeft(nonce, groups) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// killLeft kills whatever is of a group or a session of the app's children, or carries a mark of
// theirs, and returns how many it met.
func killLeft(nonce string, groups map[int]bool) (met int) {
	for _, p := range processes() {
		if p.zombie || p.pid == os.Getpid() {
			continue
		}
		if groups[p.group] || groups[p.session] || strings.HasPrefix(markOf(p.pid), nonce+".") {
			syscall.Kill(p.pid, syscall.SIGKILL)
			met++
		}
	}
	return met
}
