//go:build chaos

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// deadline is when, after a death, nothing of it may be left and everybody has to know.
const deadline = 5 * time.Second

// waiting is how many calls wait for an answer when death comes.
const waiting = 3

// victim is a session whose process is about to die.
type victim struct {
	*session
	h   *handler
	who identity
}

// way is one way to die.
type way struct {
	name   string
	server string // "server" alone, or inside "wrapper"
	kin    string // what the server has started: as beget says
	host   bool   // it is the handler that dies, and nobody can be asked afterwards
	alone  bool   // others would die with it: it has a handler of its own
	ends   bool   // the session ends with it
	die    func(context.Context, victim) error
}

// tool dies by a tool that answers nothing, or before it goes on.
func tool(name string, n int) func(context.Context, victim) error {
	return func(ctx context.Context, v victim) error {
		_, err := v.call(ctx, name, arguments{N: n})
		return err
	}
}

// signalled dies by a signal from outside.
func signalled(sig syscall.Signal, whom func(victim) int) func(context.Context, victim) error {
	return func(_ context.Context, v victim) error { return syscall.Kill(whom(v), sig) }
}

// storm dies while sessions of a server open.
func storm(server string, die func(context.Context, victim) error) func(context.Context, victim) error {
	return func(ctx context.Context, v victim) error {
		for i := range 8 {
			go newClient(v.h, server).open(ctx)
			<-time.After(time.Duration(i) * time.Millisecond)
		}
		return die(ctx, v)
	}
}

func ways() []way {
	child := func(v victim) int { return v.who.PID }
	parent := func(v victim) int { return v.who.Parent }
	handler := func(v victim) int { return v.h.pid() }
	deleted := func(ctx context.Context, v victim) error { return v.end(ctx) }
	return []way{
		{name: "SIGKILL of the server", server: "server", die: signalled(syscall.SIGKILL, child)},
		{name: "SIGTERM of the server", server: "server", kin: "stubborn", die: signalled(syscall.SIGTERM, child)},
		{name: "SIGKILL of the server, after a double fork", server: "server", kin: "escaped", die: signalled(syscall.SIGKILL, child)},
		{name: "SIGKILL of the wrapper", server: "wrapper", kin: "stubborn", die: signalled(syscall.SIGKILL, parent)},
		{name: "SIGKILL of the server inside the wrapper", server: "wrapper", kin: "escaped", die: signalled(syscall.SIGKILL, child)},
		{name: "exit 0", server: "server", kin: "stubborn", die: tool("exit", 0)},
		{name: "exit 3", server: "server", kin: "escaped", die: tool("exit", 3)},
		{name: "crash in the middle of a line", server: "server", die: tool("half", 0)},
		{name: "killed for its memory", server: "server", kin: "stubborn", die: tool("eat", 32)},
		{name: "stdout closed", server: "server", die: tool("close stdout", 0)},
		{name: "stdin closed", server: "server", die: func(ctx context.Context, v victim) error {
			if _, err := v.say(ctx, "close stdin", arguments{}); err != nil {
				return err
			}
			_, err := v.call(ctx, "echo", arguments{}) // nothing but a write can show it
			return err
		}},
		{name: "DELETE", server: "wrapper", kin: "stubborn", ends: true, die: deleted},
		{name: "DELETE of a server that ignores it", server: "server", kin: "escaped", ends: true, die: func(ctx context.Context, v victim) error {
			if _, err := v.say(ctx, "ignore", arguments{}); err != nil {
				return err
			}
			return v.end(ctx)
		}},
		{name: "SIGKILL of the handler", server: "server", host: true, die: signalled(syscall.SIGKILL, handler)},
		{name: "SIGKILL of the handler over a wrapper", server: "wrapper", kin: "stubborn", host: true, die: signalled(syscall.SIGKILL, handler)},
		{name: "SIGKILL of the handler, after a double fork", server: "server", kin: "escaped", host: true, die: signalled(syscall.SIGKILL, handler)},
		{name: "SIGKILL of the handler while servers start", server: "server", host: true, die: storm("wrapper", signalled(syscall.SIGKILL, handler))},
		{name: "SIGTERM of the handler", server: "wrapper", kin: "escaped", host: true, die: signalled(syscall.SIGTERM, handler)},
	}
}

func TestNothingSurvivesAnyDeath(t *testing.T) {
	rounds := (scale(1000, 60) + len(ways()) - 1) / len(ways())
	counts := newTally("processes left", "calls unanswered", "wrong ids", "sessions that look alive and are dead", "cycles that did not happen")
	cfg := mcpfunc.Config{Servers: []mcpfunc.Server{fake("server", "server"), fake("wrapper", "wrapper")}}
	lasting := startHandler(t, cfg)
	work := make(chan way)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for w := range work {
				h, err := lasting, error(nil)
				if w.host {
					h, err = newHandler(t, cfg)
				}
				if err != nil {
					counts.add("cycles that did not happen", w.name, ": ", err)
					continue
				}
				cycle(t, h, w, counts)
			}
		})
	}
	for range rounds {
		for _, w := range ways() {
			work <- w
		}
	}
	close(work)
	workers.Wait()
	if f := lasting.figures(t); f.Sessions != 0 {
		counts.addN("processes left", f.Sessions, "sessions of the handler: ", f.Stats)
	}
	settled(lasting, counts)
	counts.report(t)
}

// settled counts what is left when h has no sessions, below it or anywhere, but for its guard and its fork server.
func settled(h *handler, counts *tally) {
	var left []process
	if !eventually(deadline, 50*time.Millisecond, func() bool {
		left = nil
		for _, p := range append(descendants(h.pid()), played()...) {
			if p.pid != h.pid() && (p.zombie || !guards(p, h) && !(p.parent == h.pid() && forks(p.pid))) {
				left = append(left, p)
			}
		}
		return len(left) == 0
	}) {
		counts.addN("processes left", len(left), "in the end: ", left)
	}
}

// guards reports whether p is the process that outlives a handler to clean up.
func guards(p process, h *handler) bool {
	return p.parent == h.pid() && bytes.Contains(procFile(p.pid, "cmdline"), []byte("\x00mcpfunc-guard\x00"))
}

// forks reports whether a process is a fork server, or was forked from one: neither has a command line of its own.
func forks(pid int) bool { return bytes.Contains(procFile(pid, "cmdline"), []byte("<fork server>")) }

// cycle opens a session, lets calls wait, kills, and counts.
func cycle(t *testing.T, h *handler, w way, counts *tally) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	v, err := bear(ctx, h, w)
	if err != nil {
		counts.add("cycles that did not happen", w.name, ": ", err)
		return
	}
	defer v.leave()
	type end struct {
		err error
		at  time.Time
	}
	ends := make(chan end, waiting)
	for range waiting {
		go func() {
			m, err := v.call(ctx, "hang", arguments{})
			if err == nil && m.Error == nil {
				err = fmt.Errorf("a call that nobody answers was answered: %s", m.raw)
			}
			ends <- end{err, time.Now()}
		}()
	}
	if err := v.hangs(ctx); err != nil {
		counts.add("cycles that did not happen", w.name, ": ", err)
		return
	}
	began := time.Now()
	go w.die(ctx, v) // may itself be a call that is cut off
	counts.add("cycles: " + w.name)
	late := time.After(deadline)
	for i := range waiting {
		select {
		case e := <-ends:
			counts.took("until a waiting call knew", e.at.Sub(began), w.name)
			switch {
			case errors.Is(e.err, errOther):
				counts.add("wrong ids", w.name, ": ", e.err)
			case e.err != nil && !w.host:
				counts.add("calls unanswered", w.name, ": ", e.err)
			}
		case <-late:
			counts.addN("calls unanswered", waiting-i, w.name, ": still waiting after ", deadline)
			late = nil
		}
		if late == nil {
			break
		}
	}
	mark := v.who.Mark
	if w.host {
		mark = handlerMark(mark)
	}
	var left []process
	if !eventually(time.Until(began.Add(deadline)), 20*time.Millisecond, func() bool {
		left = marked(mark)
		return len(left) == 0
	}) {
		counts.addN("processes left", len(left), w.name, ": ", left)
	}
	counts.took("until no process was left", time.Since(began), w.name)
	if w.host {
		return
	}
	v.comesBack(t.Context(), w, counts)
}

// bear opens a session whose server has started what the way wants.
func bear(ctx context.Context, h *handler, w way) (victim, error) {
	s, err := newClient(h, w.server).open(ctx)
	if err != nil {
		return victim{}, err
	}
	v := victim{session: s, h: h}
	who, err := s.say(ctx, "who", arguments{})
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal([]byte(who), &v.who); err != nil {
		return v, err
	}
	if v.who.Mark == "" {
		return v, errors.New("the server was given no mark")
	}
	if w.kin != "" {
		_, err = s.say(ctx, "beget", arguments{Kin: w.kin, N: 2})
	}
	return v, err
}

// hangs returns once all calls that shall wait do.
func (v victim) hangs(ctx context.Context) error {
	var n string
	var err error
	if !eventually(10*time.Second, 5*time.Millisecond, func() bool {
		n, err = v.say(ctx, "hung", arguments{})
		return err != nil || n == fmt.Sprint(waiting)
	}) {
		return fmt.Errorf("only %s of %d calls wait", n, waiting)
	}
	return err
}

// comesBack counts a session that neither works again nor is known to have ended, and deletes it.
func (v victim) comesBack(ctx context.Context, w way, counts *tally) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var text string
	var err error
	back := eventually(10*time.Second, 20*time.Millisecond, func() bool {
		text, err = v.say(ctx, "echo", arguments{Canary: "back"})
		return err == nil || errors.Is(err, errNoSession)
	})
	switch {
	case !back:
		counts.add("sessions that look alive and are dead", w.name, ": ", err)
	case w.ends && err == nil:
		counts.add("sessions that look alive and are dead", w.name, ": a deleted session answered ", text)
	}
	if err := v.end(ctx); err != nil && !errors.Is(err, errNoSession) {
		counts.add("sessions that look alive and are dead", w.name, ": DELETE: ", err)
	}
}
