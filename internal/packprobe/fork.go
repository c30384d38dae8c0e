package packprobe

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/process"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// A forkTrial starts the processes of a server by fork and in no other way, and keeps why that fails.
type forkTrial struct {
	flags   int                          // how many arguments come before the script
	modules string                       // a file that names what is imported before
	found   func(reads, random []string) // what of that is found; nil where nobody asks

	mu      sync.Mutex
	starter *child.Starter // nil until the first start
	forks   *child.Forks
	err     error
}

// start forks a process. words come before the command line.
func (t *forkTrial) start(ctx context.Context, s mcpfunc.Server, env, words []string) (mcpfunc.Process, error) {
	line := slices.Concat(words, []string{s.Command}, s.Args)
	script := len(words) + 1 + t.flags
	box := process.Sandbox{NoNetwork: s.Sandbox.NoNetwork, Optional: true}
	for _, port := range s.Sandbox.Ports {
		box.Ports = append(box.Ports, uint16(port))
	}
	spec := process.Spec{Command: line[0], Args: line[1:], Env: env, Dir: s.Dir, Sandbox: box}
	t.mu.Lock()
	if s.Sandbox.ReadOnly {
		t.err = errors.New("sandbox.write gives each process folders of its own")
		t.mu.Unlock()
		return nil, t.err
	}
	if t.starter == nil {
		supervisor, ok := process.From(ctx)
		if !ok {
			t.mu.Unlock()
			return nil, errors.New("there is no app")
		}
		t.starter = child.NewStarter(slog.New(slog.DiscardHandler), nil, child.Limits{})
		t.forks = t.starter.Forks(supervisor, child.ForkPlan{
			Name: s.Name, Command: line[0], Flags: line[1:script], Script: line[script], Args: line[script+1:],
			Modules: t.modules, Dir: s.Dir, Sandbox: box, Env: env, Patience: s.StartTimeout, Watch: t.found,
		})
	}
	t.mu.Unlock()
	p, err := t.forks.Start(ctx, spec)
	if err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.err == nil {
			t.err = err
		}
		return nil, err
	}
	return p, nil
}

// close ends what it has started. The app's processes must have ended.
func (t *forkTrial) close() {
	t.mu.Lock()
	starter := t.starter
	t.mu.Unlock()
	if starter != nil {
		starter.Close()
	}
}

// said is how a process says that it would not be what it is without the fork (forkserver.py).
var said = regexp.MustCompile(`(?m)^cannot be forked: (.*)$`)

// why returns the reason for which a server is not forked, where err came of trying.
func (t *forkTrial) why(err error, text string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := said.FindStringSubmatch(text); m != nil {
		return errors.New(m[1])
	}
	if t.err != nil {
		return t.err
	}
	return err
}

// An importList takes from what Python says with -v which modules it has imported. (-X importtime leaves out those of
// importlib.import_module.)
type importList struct {
	modules *[]string
	part    []byte // of a line
}

var (
	verbose  = []string{"-q", "-v"}                    // the first leaves out who speaks
	imported = regexp.MustCompile(`^import '(.+)' # `) // once the module is there

	// talk is what else Python says then, of modules and, by its module site, of where it looks for them.
	talk = regexp.MustCompile(`^(?:# |import _\w+ # (?:builtin|frozen)$|Processing (?:(?:global|user) site-packages$|\.pth file: ')|Adding directory: ')`)
)

// take returns what else is in p.
func (l *importList) take(p []byte) []byte {
	var rest []byte
	l.part = append(l.part, p...)
	for {
		line, after, whole := bytes.Cut(l.part, []byte("\n"))
		if !whole {
			break
		}
		if m := imported.FindSubmatch(line); m != nil {
			*l.modules = append(*l.modules, string(m[1]))
		} else if !talk.Match(line) {
			rest = append(append(rest, line...), '\n')
		}
		l.part = after
	}
	return rest
}
