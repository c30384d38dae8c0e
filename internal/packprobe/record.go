package packprobe

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/hint"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/process"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// legacyVersions are what clients ask for in initialize, the newest that they are to ask for first. There are some
// that ask for a version without sessions.
var legacyVersions = []string{"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", manifest.StatelessVersion}

// maxAnswer bounds one answer.
const maxAnswer = 8 << 20

// Recorded is what a server was found to answer.
type Recorded struct {
	Era   string
	Talks []RecordedTalk
}

// RecordedTalk is what it answers to clients that begin in one way; without Capabilities whatever of
// manifest.Tried they declare.
type RecordedTalk struct {
	Version      string
	Capabilities json.RawMessage
	answers      []answer
}

// Record asks a packed server for what a manifest says of it. One that is forked is asked first without a fork.
func (p *Prober) Record(ctx context.Context, target pack.Target) (*Recorded, error) {
	server, flags, err := p.server(target)
	if err != nil {
		return nil, err
	}
	said := newLastWords(server.Env, server.Args, target.Dir)
	if target.Fork != nil {
		supervisor := process.Open(slog.New(slog.DiscardHandler))
		defer supervisor.Close()
		ctx = supervisor.With(ctx)
		said.trial = &forkTrial{flags: flags, modules: target.Fork.Modules}
		defer said.trial.close()
	}
	return record(ctx, server, said, target)
}

// RecordWritten asks a server of the project in dir that starts as it is written for what a manifest says of it, on this machine and
// with its environment, as far as the configuration lets it pass.
func (p *Prober) RecordWritten(ctx context.Context, dir, name string) (*Recorded, error) {
	if err := p.resolve(); err != nil {
		return nil, err
	}
	s := p.file.Servers[slices.IndexFunc(p.file.Servers, func(s config.Server) bool { return s.Name == name })]
	env := map[string]string{}
	if s.EnvFile != "" {
		vars, err := config.LoadEnvFile(s.EnvFile)
		if err != nil {
			return nil, err
		}
		maps.Copy(env, vars)
	}
	maps.Copy(env, s.Env)
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if s.Dir != "" && !filepath.IsAbs(s.Dir) {
		dir = filepath.Join(dir, s.Dir)
	} else if s.Dir != "" {
		dir = s.Dir
	}
	said := newLastWords(env, s.Args, "")
	said.environ, said.demote = authenv.Base(p.Environ, s.InheritEnv), nil
	program, err := process.Find(process.Spec{Command: s.Command, Dir: dir, Env: authenv.Join(said.environ, env)})
	if err != nil {
		return nil, err
	}
	return record(ctx, mcpfunc.Server{
		Name: s.Name, Command: program, Args: s.Args, Env: env, Dir: dir, StartTimeout: s.Timeout, Framing: string(s.Framing), Era: string(s.Era),
		Sandbox: sandbox(s.Sandbox, dir),
	}, said, pack.Target{Name: s.Name})
}

// recorder asks the processes of one server.
type recorder struct {
	server  mcpfunc.Server
	starter *child.Starter
	spec    *child.Spec
}

func record(ctx context.Context, server mcpfunc.Server, said *lastWords, target pack.Target) (*Recorded, error) {
	log := slog.New(slog.DiscardHandler)
	starter := child.NewStarter(log, nil, child.Limits{Starts: runtime.NumCPU()})
	defer starter.Close()
	var started atomic.Bool
	r := &recorder{server: server, starter: starter, spec: &child.Spec{
		Name: server.Name, Framing: framing.Mode(server.Framing), MaxMessage: maxAnswer, StartTimeout: server.StartTimeout, Grace: time.Second,
		Launch: func(ctx context.Context, _ any) (process.Process, error) {
			if said.trial != nil && started.Swap(true) {
				return said.fork(ctx, server)
			}
			return said.exec(ctx, server)
		},
	}}
	got, err := r.all(ctx)
	if err != nil {
		return nil, said.explain(err, target)
	}
	return got, nil
}

// all holds every conversation.
func (r *recorder) all(ctx context.Context) (*Recorded, error) {
	got := new(Recorded)
	modern, answered, err := r.modern(ctx)
	if err != nil {
		return nil, err
	}
	if modern {
		talks, err := r.talks(ctx, manifest.StatelessVersion, true)
		if err != nil {
			return nil, err
		}
		got.Talks = talks
	}
	legacy := make([][]RecordedTalk, len(legacyVersions))
	fails := make([]error, len(legacyVersions))
	if r.server.Era != "modern" {
		legacy[0], fails[0] = r.talks(ctx, legacyVersions[0], false) // alone: it may well not start at all
	}
	if fails[0] != nil && !modern {
		return nil, fails[0]
	}
	if len(legacy[0]) > 0 {
		var rest sync.WaitGroup
		for i, version := range legacyVersions[1:] {
			rest.Go(func() { legacy[i+1], fails[i+1] = r.talks(ctx, version, false) })
		}
		rest.Wait()
	}
	hasLegacy := false
	for _, talks := range legacy {
		hasLegacy = hasLegacy || len(talks) > 0
		got.Talks = append(got.Talks, talks...)
	}
	switch {
	case modern && hasLegacy:
		got.Era = "both"
	case modern:
		got.Era = "modern"
	case answered && hasLegacy:
		got.Era = "legacy"
	}
	return got, ctx.Err()
}

// modern reports whether the server speaks a version without sessions; answered says whether it says so.
func (r *recorder) modern(ctx context.Context) (modern, answered bool, err error) {
	if r.server.Era == "legacy" {
		return false, true, nil
	}
	c, err := r.hold(ctx, manifest.Ask("server/discover", "", json.RawMessage("{}")), json.RawMessage("{}"), true)
	if c == nil {
		return false, false, err
	}
	if len(c.answers) == 0 {
		return false, c.spoke, nil
	}
	var a struct {
		Result struct {
			SupportedVersions []string `json:"supportedVersions"`
		} `json:"result"`
	}
	err = json.Unmarshal(c.answers[0].text, &a)
	return err == nil && slices.Contains(a.Result.SupportedVersions, manifest.StatelessVersion), true, nil
}

// talks holds the conversations of a version: with no capability of a client, and with all that are tried. Where
// what is said differs both are held again, to see whether that is for the capabilities.
func (r *recorder) talks(ctx context.Context, version string, modern bool) ([]RecordedTalk, error) {
	none := json.RawMessage("{}")
	hold := func(capabilities json.RawMessage) ([]answer, error) {
		begin := initialize(version, capabilities)
		if modern {
			begin = manifest.Ask("server/discover", "", capabilities)
		}
		c, err := r.hold(ctx, begin, capabilities, modern)
		if err != nil {
			return nil, err
		}
		return c.settled(), nil
	}
	a, err := hold(none)
	if err != nil {
		return nil, err
	}
	b, err := hold(manifest.Tried)
	if err != nil {
		return nil, err
	}
	other := differing(a, b)
	if len(other) == 0 {
		return []RecordedTalk{{version, nil, a}}, nil
	}
	again, err := hold(none)
	if err != nil {
		return nil, err
	}
	againAll, err := hold(manifest.Tried)
	if err != nil {
		return nil, err
	}
	unstable, unstableAll := differing(a, again), differing(b, againAll)
	depends := false // something on the capabilities
	for method := range other {
		depends = depends || !unstable[method] && !unstableAll[method]
	}
	if !depends {
		maps.Copy(unstable, unstableAll)
		maps.Copy(unstable, other)
		if kept := but(a, unstable); kept != nil {
			return []RecordedTalk{{version, nil, kept}}, nil
		}
		return nil, nil
	}
	var talks []RecordedTalk
	if kept := but(a, unstable); kept != nil {
		talks = append(talks, RecordedTalk{version, none, kept})
	}
	if kept := but(b, unstableAll); kept != nil {
		talks = append(talks, RecordedTalk{version, manifest.Tried, kept})
	}
	return talks, nil
}

// held is a conversation that is over.
type held struct {
	*conversation
	spoke bool // the process has said something
}

// hold holds one conversation with a process of its own. An error is of the process, and comes with the
// conversation if there was one.
func (r *recorder) hold(ctx context.Context, begin []byte, capabilities json.RawMessage, modern bool) (*held, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	proc, err := r.starter.Start(ctx, r.spec, nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, err
	}
	c := &held{conversation: &conversation{Child: proc, begin: begin, modern: modern, capabilities: capabilities, changed: map[string]bool{}}}
	var failed error
	f := proc.Run(func() {
		stop := proc.KillAfter(2*r.spec.StartTimeout, c.method())
		failed = c.conversation.hold()
		stop()
		cancel()
		for m, err := proc.Read(); err == nil; m, err = proc.Read() {
			m.Free()
		}
	})
	select {
	case <-proc.Answered():
		c.spoke = true
	default:
	}
	if failed != nil && !c.spoke {
		return c, errSilent(f)
	}
	return c, failed
}

// resolve reads the configuration, once.
func (p *Prober) resolve() error {
	if p.file != nil {
		return nil
	}
	file, err := p.Resolve()
	if err != nil {
		return hint.With(err, "set it in local.settings.json, or pack with --no-probe")
	}
	p.file = file
	return nil
}
