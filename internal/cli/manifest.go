package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/packprobe"
)

type manifestOptions struct {
	Dir   string
	Check bool
	JSON  bool
}

func newManifestCommand(env *Env, run func(context.Context, *Env, *manifestOptions) error) *cobra.Command {
	opts := &manifestOptions{}
	cmd := &cobra.Command{
		Use:   "manifest [DIR]",
		Short: "Record the servers' answers in advance",
		Long: `Ask each server of the project in DIR (default: the current folder) what clients
ask first, in every protocol version that it speaks: its answer to initialize,
and its tools, prompts and resources. The answers are written, byte for byte, to
` + manifest.Name + `. The app answers these requests from that file, and starts a
process when a client sends another request.

Each request is sent twice; an answer that differs the second time is not
recorded. Servers start from their packed files if they are packed, otherwise as
written, with the variables of local.settings.json. "mcpfunc pack" also does
this as its last step.`,
		Example: `  mcpfunc manifest
  mcpfunc manifest --check     in CI`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Dir = dirArg(args)
			return run(cmd.Context(), env, opts)
		},
	}
	cmd.Flags().BoolVar(&opts.Check, "check", false, "start and write nothing; fail if the manifest does not match the project")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print a JSON list")
	return cmd
}

func runManifest(ctx context.Context, env *Env, opts *manifestOptions) error {
	if opts.Check {
		return checkManifest(env, opts)
	}
	task, err := (&packOptions{Dir: opts.Dir}).task(ctx, env)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "mcpfunc-manifest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	targets, err := pack.Targets(ctx, task, temp)
	if err != nil {
		return err
	}
	prober := newProber(env, opts.Dir)
	m, err := newManifestMaker(env, opts.Dir)
	if err != nil {
		return err
	}
	for _, s := range m.servers {
		if target, packed := targets[s.Name]; packed {
			m.record(s.Name, func() (*packprobe.Recorded, error) { return prober.Record(ctx, target) })
		} else {
			m.record(s.Name, func() (*packprobe.Recorded, error) { return prober.RecordWritten(ctx, m.dir, s.Name) })
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := m.write(); err != nil {
		return err
	}
	if opts.JSON {
		return printJSON(env.Stdout, m.report)
	}
	return m.print()
}

func checkManifest(env *Env, opts *manifestOptions) error {
	data, err := readProjectConfig(opts.Dir)
	if err != nil {
		return err
	}
	file, err := config.Parse(filepath.Join(opts.Dir, configName), data, nil)
	if err != nil {
		return err
	}
	found, err := pack.StaleManifest(opts.Dir, file)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(opts.Dir, manifest.Name)); errors.Is(err, fs.ErrNotExist) {
		found = append(found, "the project has no "+manifest.Name)
	}
	return printDifferences(env, found, opts.JSON, `run "mcpfunc manifest" or "mcpfunc pack"`)
}

func newProber(env *Env, dir string) *packprobe.Prober {
	return &packprobe.Prober{
		Environ: env.Environ, Client: newClient(env, new(heard)),
		Resolve: func() (*config.File, error) { return resolveConfig(env, dir) },
	}
}

// A manifestMaker makes the manifest of one project.
type manifestMaker struct {
	env     *Env
	dir     string
	written *config.File
	servers []config.Server // that may be answered for
	lookup  func(string) (string, bool)
	entries map[string]*packprobe.Recorded
	report  []manifestReport
}

// A manifestReport says what came of one server.
type manifestReport struct {
	Name    string `json:"name"`
	Era     string `json:"era,omitempty"`
	Talks   int    `json:"conversations"`
	Skipped string `json:"skipped,omitempty"` // why nothing is recorded
}

func newManifestMaker(env *Env, dir string) (*manifestMaker, error) {
	written, err := config.Load(filepath.Join(dir, configName), nil)
	if err != nil {
		return nil, err
	}
	lookup, err := settingsLookup(env, dir)
	if err != nil {
		return nil, err
	}
	m := &manifestMaker{env: env, dir: dir, written: written, lookup: lookup, entries: map[string]*packprobe.Recorded{}, report: []manifestReport{}}
	for _, s := range written.Enabled() {
		switch {
		case pack.Answerable(s):
			m.servers = append(m.servers, s)
		case s.Manifest == config.ManifestOff:
			m.report = append(m.report, manifestReport{Name: s.Name, Skipped: `"manifest": false`})
		default:
			m.report = append(m.report, manifestReport{Name: s.Name, Skipped: `its processes know their callers; set "manifest": "shared" if they answer all callers alike`})
		}
	}
	return m, nil
}

// has reports whether a server is one that may be answered for.
func (m *manifestMaker) has(name string) bool {
	return slices.ContainsFunc(m.servers, func(s config.Server) bool { return s.Name == name })
}

// record asks one server. One that does not answer is left out: the app starts a process for it, as without a
// manifest.
func (m *manifestMaker) record(name string, ask func() (*packprobe.Recorded, error)) {
	var got *packprobe.Recorded
	err := m.env.during(name+": recording its answers", func() (err error) {
		got, err = ask()
		return err
	})
	m.take(name, got, err)
}

func (m *manifestMaker) take(name string, got *packprobe.Recorded, err error) {
	r := manifestReport{Name: name}
	switch {
	case err != nil:
		r.Skipped = err.Error()
		if help := hintOf(err); help != "" {
			r.Skipped += "; " + help
		}
	case len(got.Talks) == 0:
		r.Skipped = "it gives different answers to the same question"
	default:
		r.Era, r.Talks = got.Era, len(got.Talks)
		m.entries[name] = got
	}
	m.report = append(m.report, r)
}

// write writes the manifest; of no server, it removes it.
func (m *manifestMaker) write() error {
	path := filepath.Join(m.dir, manifest.Name)
	if len(m.entries) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	key, _ := m.lookup(generator.SessionKeySetting)
	key, _, _ = strings.Cut(key, ",")
	entries := map[string]packprobe.Entry{}
	for name, got := range m.entries {
		source, err := pack.Source(m.dir, m.written, name, m.lookup)
		if err != nil {
			return err
		}
		entries[name] = packprobe.Entry{Identity: source.Identity(strings.TrimSpace(key)), Recorded: got}
	}
	data, err := packprobe.Encode(entries)
	if err != nil {
		return err
	}
	if before, err := os.ReadFile(path); err == nil && bytes.Equal(before, data) {
		return nil
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// print prints one line per server.
func (m *manifestMaker) print() error {
	table := tabwriter.NewWriter(m.env.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range m.report {
		if r.Skipped != "" {
			fmt.Fprintf(table, "%s\tnot recorded\t%s\n", r.Name, oneLine(r.Skipped))
			continue
		}
		era := r.Era
		if era == "" {
			era = "protocol version unknown"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Name, era, count(r.Talks, "conversation"))
	}
	return table.Flush()
}

// asked reports whether it is known already what came of a server.
func (m *manifestMaker) asked(name string) bool {
	return slices.ContainsFunc(m.report, func(r manifestReport) bool { return r.Name == name })
}

// recordPacked returns what asks a server while it is packed.
func (m *manifestMaker) recordPacked(prober *packprobe.Prober) func(context.Context, pack.Target) {
	return func(ctx context.Context, target pack.Target) {
		if m.has(target.Name) {
			got, err := prober.Record(ctx, target)
			m.take(target.Name, got, err)
		}
	}
}

// finish asks the servers that start as they are written, and writes the manifest. Where packed servers could not
// be tried nothing is written: a manifest that is there may fit.
func (m *manifestMaker) finish(ctx context.Context, prober *packprobe.Prober, report *pack.Report) error {
	for _, s := range report.Servers {
		switch {
		case m.asked(s.Name) || !m.has(s.Name):
		case s.Kind == pack.KindWritten:
			m.record(s.Name, func() (*packprobe.Recorded, error) { return prober.RecordWritten(ctx, m.dir, s.Name) })
		default:
			return nil
		}
	}
	for _, r := range m.report {
		if r.Skipped != "" {
			m.env.note("%s: every session starts a process: %s", r.Name, oneLine(r.Skipped))
		}
	}
	return m.write()
}
