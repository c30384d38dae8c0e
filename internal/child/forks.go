package child

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/pace"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// A ForkPlan says what the processes of a Python server are forked from: an interpreter that has imported the
// modules of a list.
type ForkPlan struct {
	Name     string
	Command  string          // starts the interpreter
	Flags    []string        // up to the script
	Script   string          // absolute; run in every process, as __main__, and once before, as something else
	Args     []string        // of the server
	Modules  string          // an absolute path of a file that names what is imported, in that order
	Dir      string          // of the server
	Sandbox  process.Sandbox // not ReadOnly: see process.StartForkServer
	Env      []string        // of every process, for any caller
	Patience time.Duration   // until all is imported

	// Watch, unless it is nil, is told once which variables imports have read, "*" for all, and which modules have
	// drawn random numbers. What they do is then looked at more closely, which slows every process.
	Watch func(reads, random []string)
}

// forkScript is what a fork server runs, and bootstrap what gets it there. Modules are then looked for where a script
// would have them looked for: Python would take those of the working directory first, to which sessions may write.
//
//go:embed forkserver.py
var forkScript []byte

const bootstrap = `import sys; sys.path[0] = sys.path[0] or sys.argv[1].rpartition("/")[0]
import socket; c = socket.socket(fileno=3); exec(compile(c.recv(1 << 17), "<fork server>", "exec"), {"__name__": "mcpfunc", "control": c})`

// Forks starts processes of one server by fork. The fork server is started with the first of them, ends when
// none was wanted for a while, and is started again when it has died, unless it dies again and again.
// Its methods may be called from any goroutine.
type Forks struct {
	plan    ForkPlan
	log     *slog.Logger
	secrets *secret.Redactor
	launch  func(process.Spec, [][]byte) (forker, error) // of a process.Supervisor

	running sync.WaitGroup // fork servers

	mu        sync.Mutex
	current   *forking // nil for none
	deaths    RestartBudget
	notBefore time.Time // of the next
	never     error     // why there will be none; nil if there may
	reads     []string  // variables that imports have read, as the last one has found
	closed    bool
}

// is reports whether spec is what p is about.
func (p *ForkPlan) is(spec process.Spec) bool {
	box := spec.Sandbox
	return spec.Command == p.Command && spec.Dir == p.Dir && slices.Equal(spec.Args, slices.Concat(p.Flags, []string{p.Script}, p.Args)) &&
		box.NoNetwork == p.Sandbox.NoNetwork && box.ReadOnly == p.Sandbox.ReadOnly && slices.Equal(box.Ports, p.Sandbox.Ports)
}

// A forker is a process.ForkServer.
type forker interface {
	Ready() ([]byte, error)
	Fork(process.Spec) (process.Process, error)
	Read([]byte) (int, error)
	Stderr() io.Reader
	Wait() error
	Close()
}

type forkServer struct{ *process.ForkServer }

func (f forkServer) Fork(spec process.Spec) (process.Process, error) {
	c, err := f.ForkServer.Fork(spec)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// A forking is a fork server from its start to its end.
type forking struct {
	ready chan struct{} // closed when it can fork, or never will: then err is set
	stop  chan struct{} // closed when it is to end
	fork  forker
	err   error
	reads []string

	// Guarded by Forks.mu.
	live int         // processes that it has forked, and callers about to ask for one
	idle *time.Timer // while it has no processes
	last bool        // it ends with them
	over bool        // stop is closed
}

// forkIdle is how long a fork server stays without processes: it has the memory of one.
const forkIdle = 5 * time.Minute

// forkDeaths is how many fork servers may die within RestartWindow before there is a longer pause.
const forkDeaths = 3

var (
	errForkOther = errors.New("the command line differs from what was packed")
	errForkPause = errors.New("the fork server died and has not been restarted yet")
	errForkEnv   = errors.New("a variable that the imports read differs for this caller")
	errForkOver  = errors.New("the app is shutting down")
)

// Forks returns what starts processes by plan, until Close of the Starter. supervisor accounts for them.
func (s *Starter) Forks(supervisor *process.Supervisor, plan ForkPlan) *Forks {
	f := &Forks{
		plan: plan, log: s.log.With("server", plan.Name), secrets: s.secrets,
		launch: func(spec process.Spec, hello [][]byte) (forker, error) {
			p, err := supervisor.StartForkServer(spec, hello)
			return forkServer{p}, err
		},
		deaths: RestartBudget{max: forkDeaths},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.closed = s.closed
	s.forks = append(s.forks, f)
	return f
}

// Start forks a process, and starts the fork server if it is not running. Every error but that of ctx means that the
// process is to be started in the ordinary way: one that is not what the plan says except for its environment, too.
func (f *Forks) Start(ctx context.Context, spec process.Spec) (process.Process, error) {
	if !f.plan.is(spec) {
		return nil, errForkOther
	}
	p, err := f.await(ctx, spec.Env)
	if err != nil {
		return nil, err
	}
	defer f.giveBack(p)
	select {
	case <-p.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.err != nil {
		return nil, p.err
	}
	if name := differs(f.plan.Env, spec.Env, p.reads); name != "" {
		f.log.Debug("server starts without a fork", "reason", errForkEnv, "variable", name)
		return nil, errForkEnv
	}
	c, err := p.fork.Fork(spec)
	if err != nil {
		f.log.Warn("cannot fork: server starts without a fork", "error", err)
		f.retire(p)
		return nil, err
	}
	f.mu.Lock()
	p.live++
	f.mu.Unlock()
	f.running.Go(func() {
		c.Wait()
		f.giveBack(p)
	})
	return c, nil
}

// await returns the fork server for a process with this environment. While the last one has died and is not replaced, it
// waits: so do all whose processes have died with that, who would else import everything at once. It does not where
// too many have died.
func (f *Forks) await(ctx context.Context, env []string) (*forking, error) {
	for {
		p, pause, err := f.take(env)
		if err == nil || pause == 0 || pause >= exhaustedPause/2 {
			return p, err
		}
		if pace.Wait(ctx, pause) != nil {
			return nil, ctx.Err()
		}
	}
}

// take returns the fork server, which does not end for want of work until giveBack, or an error, with the pause after
// which there may be one.
func (f *Forks) take(env []string) (_ *forking, pause time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch pause = max(0, time.Until(f.notBefore)); {
	case f.closed:
		return nil, 0, errForkOver
	case f.never != nil:
		return nil, 0, f.never
	case differs(f.plan.Env, env, f.reads) != "": // known from one before
		return nil, 0, errForkEnv
	case f.current == nil && pause > 0:
		return nil, pause, errForkPause
	}
	p := f.current
	if p == nil {
		p = &forking{ready: make(chan struct{}), stop: make(chan struct{})}
		f.current = p
		f.running.Go(func() { f.run(p) })
	}
	if p.live++; p.idle != nil {
		p.idle.Stop()
		p.idle = nil
	}
	return p, 0, nil
}

func (f *Forks) giveBack(p *forking) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.live--; p.live > 0 || p.over {
		return
	}
	if f.closed || p.last {
		f.endLocked(p)
		return
	}
	p.idle = time.AfterFunc(forkIdle, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if p.live == 0 {
			f.endLocked(p)
		}
	})
}

// retire lets the processes of a fork server live, and has another one fork the next, after a pause.
func (f *Forks) retire(p *forking) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.last = true
	if f.current == p {
		f.current = nil
		f.diedLocked()
	}
}

// diedLocked returns the pause before there may be another fork server.
func (f *Forks) diedLocked() time.Duration {
	pause, _, _ := f.deaths.Died(time.Now())
	f.notBefore = time.Now().Add(pause)
	return pause
}

// endLocked has a fork server end, and its processes with it.
func (f *Forks) endLocked(p *forking) {
	if p.idle != nil {
		p.idle.Stop()
		p.idle = nil
	}
	if !p.over {
		p.over = true
		close(p.stop)
	}
	if f.current == p {
		f.current = nil
	}
}

// run is a fork server's life.
func (f *Forks) run(p *forking) {
	err := f.start(p)
	if err == nil {
		gone := make(chan struct{})
		var exit error
		go func() {
			exit = p.fork.Wait()
			close(gone)
		}()
		select {
		case <-gone:
			err = errors.Join(errors.New("it ended"), exit)
		case <-p.stop:
		}
		p.fork.Close()
		<-gone
	}
	if pause, last := f.ended(p, err != nil); last {
		f.log.Warn("no fork server: starts take longer", "error", err, "pause", pause)
	}
}

// ended notes that a fork server has ended. last says that it died, and that the next one comes after a pause.
func (f *Forks) ended(p *forking, died bool) (pause time.Duration, last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if last = died && f.current == p; last {
		pause = f.diedLocked()
	}
	f.endLocked(p)
	return pause, last
}

// start starts a fork server, and returns when it is ready.
func (f *Forks) start(p *forking) (err error) {
	defer func() {
		p.err = err
		close(p.ready)
	}()
	plan, err := json.Marshal(map[string]any{"script": f.plan.Script, "args": append([]string{}, f.plan.Args...), "modules": f.plan.Modules, "watch": f.plan.Watch != nil})
	if err != nil {
		return err
	}
	spec := process.Spec{Command: f.plan.Command, Args: append(slices.Clone(f.plan.Flags), "-c", bootstrap, f.plan.Script), Env: f.plan.Env, Dir: f.plan.Dir, Sandbox: f.plan.Sandbox}
	if p.fork, err = f.launch(spec, [][]byte{forkScript, plan}); err != nil {
		if errors.Is(err, errors.ErrUnsupported) {
			f.refuse(err)
		}
		return err
	}
	f.running.Go(func() { io.Copy(io.Discard, p.fork) }) // nothing of it is for a client
	tail := tailOf(p.fork, f.log.With("session", "none: fork server"), f.secrets)
	late := time.AfterFunc(f.plan.Patience, p.fork.Close)
	defer late.Stop()
	began := time.Now()
	var report struct {
		Problem *string
		Reads   []string
		Random  []string
	}
	said, err := p.fork.Ready()
	if err == nil {
		err = json.Unmarshal(said, &report)
	}
	if err != nil || report.Problem != nil {
		p.fork.Close()
		p.fork.Wait()
		tail.end()
	}
	if report.Problem != nil {
		err = errors.New(*report.Problem)
		f.refuse(err)
		return err
	}
	if err != nil {
		if lines := tail.lines(); len(lines) > 0 {
			err = errors.New(lines[len(lines)-1])
		}
		return err
	}
	p.reads = report.Reads
	f.mu.Lock()
	f.reads = report.Reads
	f.mu.Unlock()
	if f.plan.Watch != nil {
		f.plan.Watch(report.Reads, report.Random)
	}
	f.log.Info("fork server ready", "after", time.Since(began).Round(time.Millisecond).String())
	return nil
}

// refuse says that there will be no fork server again.
func (f *Forks) refuse(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.never = why
}

// close waits for all processes, which others end, and ends the fork server.
func (f *Forks) close() {
	f.mu.Lock()
	f.closed = true
	if p := f.current; p != nil && p.live == 0 {
		f.endLocked(p)
	}
	f.mu.Unlock()
	f.running.Wait()
}
