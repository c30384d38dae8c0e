package mcpfunc

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A notice is something to be logged once there is a log.
type notice struct {
	text  string
	attrs []any
}

// pinTools gives servers the pins of the tools that `mcpfunc pack` has found them to have. They hold whether a
// server starts as packed or not: one that starts otherwise may well have other tools.
func (c *Config) pinTools(path string) error {
	pins, err := packmanifest.LoadPins(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for i := range c.Servers {
		c.Servers[i].pins = pins[c.Servers[i].Name]
	}
	return err
}

// startPacked lets the servers that `mcpfunc pack` has packed start from that: see internal/packmanifest.
// What does not fit is not an error, as the server may well start as it is written; the log says why it
// was, and the hint. A packed file that cannot be understood is one: it was meant.
func (c *Config) startPacked(path string, written *config.File) error {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return err
	}
	file, err := packmanifest.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !file.Fits() {
		c.notices = append(c.notices, notice{"pack ignored: it is for another platform", []any{"platform", file.Platform}})
		return nil
	}
	commands := map[string]packmanifest.Command{}
	for _, s := range written.Enabled() {
		commands[s.Name] = packmanifest.Command{Command: s.Command, Args: s.Args}
	}
	starter := packmanifest.Starter{File: file, Dir: dir, Temp: os.TempDir(), LookPath: exec.LookPath}
	starter.Memory, _ = process.Machine{}.Total()
	for i := range c.Servers {
		s := &c.Servers[i]
		if s.fault != nil {
			continue
		}
		launch, err := starter.Launch(s.Name, commands[s.Name], s.Args)
		if err != nil {
			c.notices = append(c.notices, notice{"server starts as written, not as packed", []any{"server", s.Name, "error", err, "hint", "run mcpfunc pack again"}})
			continue
		}
		s.Command, s.Args, s.Env = launch.Command, launch.Args, launch.Over(s.Env)
		s.lock, s.tree = file.Servers[s.Name].Lock, file.Servers[s.Name].Tree
		if launch.Fork != "" && !s.noFork {
			s.fork = &forkable{launch.Flags, launch.Fork}
		}
	}
	return nil
}

// A forkable says how the processes of a packed server can be forked.
type forkable struct {
	flags   int    // how many arguments come before the script
	modules string // a file that names what is imported before
}

// forks returns what starts the processes of a server by fork; nil where they may not be forked.
func (a *App) forks(s Server) *child.Forks {
	if s.fork == nil || s.Sandbox.ReadOnly { // there each process has folders of its own
		return nil
	}
	n := s.fork.flags
	box, env := s.own(authenv.Join(a.inherited(s), s.Env, nil))
	return a.starter.Forks(a.supervisor, child.ForkPlan{
		Name: s.Name, Command: s.Command, Flags: s.Args[:n], Script: s.Args[n], Args: s.Args[n+1:], Modules: s.fork.modules,
		Dir: s.Dir, Sandbox: box, Env: env, Patience: s.StartTimeout,
	})
}
