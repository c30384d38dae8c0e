//go:build chaos && e2e

package chaos

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// realServers are the Node and the Python server that test/e2e/tools/install.sh fetched, started as
// users start them.
func realServers(t *testing.T) []mcpfunc.Server {
	t.Helper()
	if _, err := os.Stat(e2etest.Tool("stamp")); err != nil {
		t.Fatalf("the tools are not installed: run test/e2e/tools/install.sh (%v)", err)
	}
	env := map[string]string{
		"PATH":                e2etest.Tool("python", "bin") + string(os.PathListSeparator) + os.Getenv("PATH"),
		"UV_PYTHON_DOWNLOADS": "never",
	}
	return []mcpfunc.Server{
		{Name: "node", Command: "npx", Args: []string{"-y", e2etest.Pinned(t, "@modelcontextprotocol/server-everything")}, Env: env, MaxRestarts: 100},
		{Name: "python", Command: "uvx", Args: []string{e2etest.Pinned(t, "mcp-server-time")}, Env: env, MaxRestarts: 100},
	}
}

// realWays are the ways to die that need no help of the server.
func realWays() []way {
	first := func(h *handler) int { return outermost(h)[0].pid }
	last := func(h *handler) int {
		all := descendants(first(h))
		if len(all) == 0 {
			return first(h)
		}
		return all[len(all)-1].pid
	}
	kill := func(sig syscall.Signal, whom func(*handler) int) func(context.Context, victim) error {
		return func(_ context.Context, v victim) error { return syscall.Kill(whom(v.h), sig) }
	}
	return []way{
		{name: "SIGKILL of the runner", die: kill(syscall.SIGKILL, first)},
		{name: "SIGTERM of the runner", die: kill(syscall.SIGTERM, first)},
		{name: "SIGKILL of the innermost process", die: kill(syscall.SIGKILL, last)},
		{name: "DELETE", ends: true, die: func(ctx context.Context, v victim) error { return v.end(ctx) }},
		{name: "SIGKILL of the handler", host: true, die: kill(syscall.SIGKILL, (*handler).pid)},
		{name: "SIGTERM of the handler", host: true, die: kill(syscall.SIGTERM, (*handler).pid)},
	}
}

// outermost returns the processes that the handler itself started, but for its guard.
func outermost(h *handler) (found []process) {
	for _, p := range descendants(h.pid()) {
		if p.parent == h.pid() && !p.zombie && !guards(p, h) {
			found = append(found, p)
		}
	}
	return found
}

func TestNothingOfARealServerSurvives(t *testing.T) {
	counts := newTally("processes left", "calls unanswered", "sessions that look alive and are dead", "cycles that did not happen")
	for _, server := range realServers(t) {
		cfg := mcpfunc.Config{Servers: []mcpfunc.Server{server}}
		for range scale(5, 1) {
			for _, w := range realWays() {
				w.server = server.Name
				realCycle(t, startHandler(t, cfg), w, counts)
			}
		}
	}
	counts.report(t)
}

// realCycle keeps asking a real server while it dies.
func realCycle(t *testing.T, h *handler, w way, counts *tally) {
	name := w.server + ": " + w.name
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s, err := newClient(h, w.server).open(ctx)
	if err != nil || len(outermost(h)) == 0 {
		counts.add("cycles that did not happen", name, ": ", err)
		return
	}
	defer s.leave()
	mark := markOf(outermost(h)[0].pid)
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range waiting {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := list(ctx, s)
				var told *callError
				switch {
				case errors.Is(err, errNoSession), err != nil && w.host:
					return
				case err != nil && !errors.As(err, &told):
					counts.add("calls unanswered", name, ": ", err)
				}
				counts.add("calls")
			}
		})
	}
	<-time.After(20 * time.Millisecond) // some are on the way
	began := time.Now()
	go w.die(ctx, victim{session: s, h: h})
	counts.add("cycles: " + name)
	var left []process
	if !eventually(deadline, 20*time.Millisecond, func() bool {
		left = marked(mark)
		return len(left) == 0
	}) {
		counts.addN("processes left", len(left), name, ": ", left)
	}
	counts.took("until no process was left", time.Since(began), name)
	close(stop)
	callers.Wait()
	if w.host || w.ends {
		return
	}
	if !eventually(30*time.Second, 50*time.Millisecond, func() bool {
		err = list(ctx, s)
		return err == nil || errors.Is(err, errNoSession)
	}) {
		counts.add("sessions that look alive and are dead", name, ": ", err)
	}
}

// list asks for the tools.
func list(ctx context.Context, s *session) error {
	a, err := s.request(ctx, "tools/list", "")
	if err != nil {
		return err
	}
	defer a.close()
	m, err := a.rest()
	if err == nil && m.Error != nil {
		return m.Error
	}
	return err
}

// markOf is the mark that the handler gave a process.
func markOf(pid int) string {
	for field := range bytes.SplitSeq(procFile(pid, "environ"), []byte{0}) {
		if mark, ok := bytes.CutPrefix(field, []byte(markName+"=")); ok {
			return string(mark)
		}
	}
	return ""
}
