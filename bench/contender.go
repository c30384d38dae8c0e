package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
	"github.com/mcpfunc/mcpfunc/internal/packprobe"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A contender is something that is measured.
type contender struct {
	name  string // of its column, and of -only
	about string // what it is, for the page
	// start starts a new one, for the measure of this name.
	start func(l *lab, measure string) (*running, error)
	peer  bool     // somebody else's
	only  []string // the measures that it takes part in; nil for all
	// absent is why it cannot be measured here; empty if it can.
	absent string
}

// running is a contender that is ready for sessions.
type running struct {
	open   func() (session, error)
	client *client       // behind open; nil for pipes
	proc   *proc         // whose CPU and memory count; nil if it has no process beside the server
	ready  time.Duration // from exec to the first HTTP answer; zero if proc is nil
	stop   func()
	others *others // that take part in each call; nil for none
}

// A lab is where contenders run: programs that were built for this run, and a directory.
type lab struct {
	dir     string
	server  string // the stdio server
	handler string // what a generated project builds to
	self    string // this program
	profile string // directory for profiles of the handler; empty for none
}

// newLab builds the programs. They are programs of their own, because their size and their start
// are measured: neither drags the load generator along.
func newLab() (*lab, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the reaper of orphans: %w", err)
	}
	dir, err := os.MkdirTemp("", "mcpfunc-bench-")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := &lab{dir: dir, self: self, server: filepath.Join(dir, "server"), handler: filepath.Join(dir, "handler")}
	if err := errors.Join(build(l.server, "server"), build(l.handler, "handler")); err != nil {
		l.close()
		return nil, err
	}
	return l, l.project()
}

// build builds a program of the benchmark as "mcpfunc build" does: stripped and without cgo.
func build(path, pkg string, tags ...string) error {
	tags = append(tags, "nethttpomithttp2")
	cmd := exec.Command("go", "build", "-trimpath", "-tags="+strings.Join(tags, ","), "-ldflags=-s -w", "-o", path, "github.com/mcpfunc/mcpfunc/bench/"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the benchmark's %s: %w: %s", pkg, err, out)
	}
	return nil
}

// profiled is the same lab with a handler that writes profiles into a directory.
func (l *lab) profiled(dir string) (*lab, error) {
	p := *l
	p.profile, p.handler = dir, filepath.Join(l.dir, "profiled")
	return &p, build(p.handler, "handler", "profile")
}

func (l *lab) close() { os.RemoveAll(l.dir) }

// The directories of what is measured with another server: one that starts slowly, and one in Python.
const (
	slow   = "slow"
	python = "python"
)

// dirOf is the project that a measure is done with.
func (l *lab) dirOf(measure string) string {
	switch measure {
	case arrivalsSlow:
		return filepath.Join(l.dir, slow)
	case perCall:
		return filepath.Join(l.dir, python)
	}
	return l.dir
}

// serverOf is the stdio server that a measure is done with.
func (l *lab) serverOf(measure string) string {
	if measure == perCall {
		return installed(pythonServer)
	}
	return l.server
}

// project writes what a generated project has beside its handler.
func (l *lab) project() error {
	files := map[string]string{
		"host.json": `{"version":"2.0","extensions":{"http":{"routePrefix":""}},"customHandler":{` +
			`"description":{"defaultExecutablePath":"handler"},"enableProxyingHttpRequest":true}}`,
		"mcp/function.json": `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous",` +
			`"methods":["get","post","delete"],"route":"api/mcp"},{"type":"http","direction":"out","name":"res"}]}`,
	}
	for dir, settings := range map[string]string{
		"":                     ``,
		prewarmed:              `,"sessions":{"prewarm":4}`,
		slow:                   `,"args":["` + slowStart.String() + `"]`,
		known:                  ``,
		sandboxed:              `,"sandbox":{"network":"none","write":[]}`,
		slow + "/" + prewarmed: `,"args":["` + slowStart.String() + `"],"sessions":{"prewarm":4}`,
		python:                 ``,
	} {
		server := l.server
		if dir == python {
			server = installed(pythonServer)
		}
		command, err := json.Marshal(server)
		if err != nil {
			return err
		}
		files[filepath.Join(dir, "mcp_config.json")] = `{"mcpServers":{"bench":{"command":` + string(command) + settings + `}}}`
	}
	for name, text := range files {
		path := filepath.Join(l.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), fs.FileMode(0o644)); err != nil {
			return err
		}
	}
	return l.record()
}

// record writes what the server answers before it is used, as "mcpfunc manifest" does.
func (l *lab) record() error {
	dir := filepath.Join(l.dir, known)
	file, err := config.Load(filepath.Join(dir, "mcp_config.json"), nil)
	if err != nil {
		return err
	}
	prober := packprobe.Prober{Environ: os.Environ(), Resolve: func() (*config.File, error) { return file, nil }}
	answers, err := prober.RecordWritten(context.Background(), dir, "bench")
	if err != nil {
		return fmt.Errorf("ask the server for its manifest: %w", err)
	}
	data, err := packprobe.Encode(map[string]packprobe.Entry{
		"bench": {Identity: manifest.SourceOf(file.Servers[0], nil, os.Getenv).Identity(""), Recorded: answers},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, manifest.Name), data, 0o644)
}

// The names of the contenders that others are held against.
const (
	raw   = "raw"
	floor = "floor"
	ours  = "ours"
	host  = "host"

	against   = "other"
	prewarmed = "prewarmed"
	known     = "manifest"
	sandboxed = "sandboxed"
)

// ourContenders are those that need nothing installed.
func ourContenders() []contender {
	return []contender{
		{name: raw, about: "the server's pipes with nothing in between", start: func(l *lab, measure string) (*running, error) {
			var args []string
			if measure == arrivalsSlow {
				args = []string{slowStart.String()}
			}
			return &running{open: func() (session, error) { return openPipe(l.server, args...) }, stop: func() {}}, nil
		}},
		{name: floor, about: "a bare `net/http` server that gives the same answers from memory, without a server behind it",
			start: func(l *lab, measure string) (*running, error) {
				return l.serve(measure, "/", func(port string) []string { return []string{l.self, floor, "127.0.0.1:" + port} })
			}},
		{name: ours, about: "the handler that a generated project builds to; one process per session", start: func(l *lab, measure string) (*running, error) {
			return l.serve(measure, "/api/mcp", func(string) []string { return []string{l.handler} })
		}},
		{name: prewarmed, about: "the same handler with `prewarm` 4: processes are started in advance", only: []string{"churn", arrivals, arrivalsSlow}, start: func(l *lab, measure string) (*running, error) {
			return l.serveIn(filepath.Join(l.dirOf(measure), prewarmed), measure, "/api/mcp", func(string) []string { return []string{l.handler} })
		}},
		{name: known, about: "the same handler with `mcp_manifest.jsonl`: lists are answered without a process", only: []string{lists, inCrowdName(few), inCrowdName(crowd)}, start: func(l *lab, measure string) (*running, error) {
			return l.serveIn(filepath.Join(l.dir, known), measure, "/api/mcp", func(string) []string { return []string{l.handler} })
		}},
		{name: sandboxed, about: "the same handler with `sandbox`: its servers have no network, and write only to folders of their own", only: []string{"echo 8×4", "churn"}, absent: withoutSandbox(), start: func(l *lab, measure string) (*running, error) {
			return l.serveIn(filepath.Join(l.dir, sandboxed), measure, "/api/mcp", func(string) []string { return []string{l.handler} })
		}},
		forkedContender,
		sharedContender,
		elsewhereContender,
		frontContender(),
		{name: host, about: "the same handler behind the emulated Functions host; CPU and memory are the emulator's", only: []string{"echo 1×1", "echo 8×4", "echo 64×1", "answers 1 MiB", "progress"}, start: func(l *lab, measure string) (*running, error) {
			return l.serve(measure, "/api/mcp", func(port string) []string { return []string{l.self, host, "127.0.0.1:" + port} })
		}},
	}
}

// withoutSandbox is why there can be no sandbox here; empty if there can.
func withoutSandbox() string {
	if tier, whole := process.SandboxTier(); !whole {
		return "this kernel enforces " + tier
	}
	return ""
}

// otherHandler is ours as another build, unless path is empty, and with more variables in its environment.
func otherHandler(path string, variables []string) (contender, error) {
	about := "the same handler"
	if path != "" {
		var err error
		if path, err = filepath.Abs(path); err != nil {
			return contender{}, err
		}
		about = "another build of the handler: `" + filepath.Base(path) + "`"
	}
	if len(variables) > 0 {
		about += " with `" + strings.Join(variables, " ") + "`"
	}
	return contender{name: against, about: about, start: func(l *lab, measure string) (*running, error) {
		command := []string{cmp.Or(path, l.handler)}
		if len(variables) > 0 {
			command = append(append([]string{"env"}, variables...), command...)
		}
		return l.serve(measure, "/api/mcp", func(string) []string { return command })
	}}, nil
}

// serve is serveIn in the directory of the measure's project.
func (l *lab) serve(measure, path string, command func(port string) []string) (*running, error) {
	return l.serveIn(l.dirOf(measure), measure, path, command)
}

// serveIn starts a program that serves MCP at path on a port, and waits for its first answer. The
// handler then writes its profiles into a directory of this measure.
func (l *lab) serveIn(dir, measure, path string, command func(port string) []string) (*running, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	args := command(port)
	env := []string{"FUNCTIONS_CUSTOMHANDLER_PORT=" + port}
	if l.profile != "" {
		profile, err := filepath.Abs(l.profileOf(measure))
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(profile, 0o755); err != nil {
			return nil, err
		}
		env = append(env, "MCPFUNC_BENCH_PROFILE="+profile)
	}
	begun := time.Now()
	p, err := start(dir, env, args[0], args[1:]...)
	if err != nil {
		return nil, err
	}
	if err := p.await(addr); err != nil {
		p.stop()
		return nil, err
	}
	c := &client{addr: addr, path: path}
	return &running{open: c.open, client: c, proc: p, ready: time.Since(begun), stop: p.stop}, nil
}

// profileOf is the directory of a measure's profiles.
func (l *lab) profileOf(measure string) string {
	return filepath.Join(l.profile, strings.ReplaceAll(measure, " ", "-"))
}

// serveHost runs the emulated Functions host on the project in the working directory until it is
// told to stop.
func serveHost(addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	var env []string // the port is the emulator's to choose
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FUNCTIONS_CUSTOMHANDLER_PORT=") {
			env = append(env, v)
		}
	}
	h, err := hostemu.Start(ctx, hostemu.Options{Dir: ".", Listener: l, Env: env})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return h.Close()
}
