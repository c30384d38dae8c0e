package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// The versions that are packed for when nothing says otherwise: what a new app on Azure has.
const (
	defaultPython = "3.12"
	defaultNode   = "22"
)

type packOptions struct {
	Dir     string
	Check   bool
	Upgrade []string // servers; allServers for every one
	NoProbe bool
	Offline bool
	GOARCH  string // empty: what it was packed for before
	JSON    bool
	Yes     bool

	unpinned map[string]bool        // servers whose tools may be whatever they are
	settings []func(*pack.Settings) // what flags say about them
}

// allServers is --upgrade without names. No server is called so.
const allServers = "*"

func newPackCommand(env *Env, run func(context.Context, *Env, *packOptions) error) *cobra.Command {
	opts := &packOptions{}
	var settings pack.Settings
	cmd := &cobra.Command{
		Use:   "pack [DIR]",
		Short: "Lock and install the servers' packages into the project",
		Long: `Resolve the packages and programs that the servers of the project in DIR
(default: the current folder) start with uvx, npx, dnx, python, node or as a
program, lock them with versions and hashes in mcp_lock, and install them into
packed, for linux/amd64. The app then starts the servers from there, without a
package runner and without the network; mcp_config.json stays as it is. Every
packed server is started once and must answer. Each Python server is then tried
as a fork of an interpreter that has already imported its modules, and uses this
in the app if it works.

Servers from NuGet do not need .NET, neither here nor where they run: their
runtime comes from packages, one copy for all of them.

Locked versions are installed until --upgrade. It compares the new tools of each
server with the old ones, and asks before it accepts changes. Commit mcp_lock
and sbom.cdx.json; packed is made from them. --goarch, --python, --with-node,
--scripts, --binary and --leave are stored in mcp_lock.`,
		Example: `  mcpfunc pack
  mcpfunc pack --upgrade=time
  mcpfunc pack --check     in CI
  mcpfunc pack --with-node --binary github-mcp-server`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Dir = dirArg(args)
			remember(cmd, opts, &settings)
			return run(cmd.Context(), env, opts)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.Check, "check", false, "write nothing; fail if configuration, lock and packed files do not match")
	flags.StringSliceVar(&opts.Upgrade, "upgrade", nil, "resolve again: all servers, or these `servers` (--upgrade=A,B)")
	flags.Lookup("upgrade").NoOptDefVal = allServers
	flags.StringVar(&settings.Python, "python", defaultPython, "set the `version` of Python in the app, as major.minor")
	flags.StringVar(&settings.Node, "with-node", "", "include Node of this `version`, for an app without Node")
	flags.Lookup("with-node").NoOptDefVal = defaultNode
	flags.BoolVar(&settings.Scripts, "scripts", false, "let packages run their own code on this machine during installation")
	flags.StringSliceVar(&settings.Programs, "binary", nil, "include the program of this `name` from PATH; repeatable")
	flags.StringSliceVar(&settings.Leave, "leave", nil, "do not pack this `server`; it starts as written; repeatable")
	flags.StringVar(&opts.GOARCH, "goarch", "", "set the `architecture` of the app, amd64 or arm64 (default: that of its built handler, otherwise amd64)")
	flags.BoolVar(&opts.Offline, "offline", false, "download nothing; pack from earlier downloads")
	flags.BoolVar(&opts.NoProbe, "no-probe", false, "do not start the servers to check that they answer")
	flags.BoolVar(&opts.JSON, "json", false, "print a JSON object")
	flags.BoolVarP(&opts.Yes, "yes", "y", false, "accept changed tools without asking")
	return cmd
}

// remember takes the settings that were given over those of the lock.
func remember(cmd *cobra.Command, opts *packOptions, given *pack.Settings) {
	for name, take := range map[string]func(*pack.Settings){
		"python":    func(s *pack.Settings) { s.Python = given.Python },
		"with-node": func(s *pack.Settings) { s.Node = given.Node },
		"scripts":   func(s *pack.Settings) { s.Scripts = given.Scripts },
		"binary":    func(s *pack.Settings) { s.Programs = given.Programs },
		"leave":     func(s *pack.Settings) { s.Leave = given.Leave },
	} {
		if cmd.Flags().Changed(name) {
			opts.settings = append(opts.settings, take)
		}
	}
}

func runPack(ctx context.Context, env *Env, opts *packOptions) error {
	task, err := opts.task(ctx, env)
	if err != nil {
		return err
	}
	if opts.Check {
		return checkPacked(env, task, opts.JSON)
	}
	task.Log = func(server, text string) {
		if server != "" {
			server += ": "
		}
		env.note("%s%s", server, text)
	}
	var m *manifestMaker
	prober := newProber(env, opts.Dir)
	if !opts.NoProbe {
		if m, err = newManifestMaker(env, opts.Dir); err != nil {
			return err
		}
		task.Probe, task.Record = prober.Probe, m.recordPacked(prober)
	}
	var report *pack.Report
	err = env.duringProgress("packing", func(p *progress) (err error) {
		if !opts.Yes {
			task.Confirm = func(report *pack.Report) error {
				return p.pause(func() error { return confirmTools(env, report, opts.unpinned) })
			}
		}
		report, err = pack.Pack(ctx, task)
		return err
	})
	if err != nil {
		return err
	}
	if m != nil {
		if err := m.finish(ctx, prober, report); err != nil {
			return err
		}
	}
	if opts.JSON {
		return printJSON(env.Stdout, report)
	}
	return printPacked(env.Stdout, report)
}

// task is what to pack or to check.
func (o *packOptions) task(ctx context.Context, env *Env) (*pack.Options, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	data, err := readProjectConfig(o.Dir)
	if err != nil {
		return nil, err
	}
	file, err := config.Parse(filepath.Join(o.Dir, configName), data, nil)
	if err != nil {
		return nil, err
	}
	if o.GOARCH != "" && !slices.Contains(pack.Platforms(), "linux/"+o.GOARCH) {
		return nil, misusef("invalid --goarch %q: want amd64 or arm64", o.GOARCH)
	}
	task := &pack.Options{Dir: dir, Env: env.Environ, Offline: o.Offline, Settings: pack.Settings{Python: defaultPython}, Upgrade: o.upgrades}
	if task.Platform = builtFor(dir); o.GOARCH != "" {
		task.Platform = "linux/" + o.GOARCH
	}
	if task.Lookup, err = settingsLookup(env, dir); err != nil {
		return nil, err
	}
	lock, err := pack.ReadLock(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		task.Settings = lock.Settings
	}
	for _, take := range o.settings {
		take(&task.Settings)
	}
	o.unpinned = map[string]bool{}
	for _, s := range file.Enabled() {
		o.unpinned[s.Name] = s.Access.Pin == config.PinOff
		task.Servers = append(task.Servers, pack.Server{Name: s.Name, Command: packmanifest.Command{Command: s.Command, Args: s.Args}, Dir: s.Dir})
	}
	for _, name := range slices.Concat(o.Upgrade, task.Settings.Leave) {
		if name != allServers && !slices.ContainsFunc(task.Servers, func(s pack.Server) bool { return s.Name == name }) {
			return nil, misusef("there is no server %q to pack", name)
		}
	}
	task.Modules, err = goModules(ctx, env, dir)
	return task, err
}

// builtFor is the platform of a handler that was built for another architecture than this machine's, which
// then was meant; empty if there was no value.
func builtFor(dir string) string {
	name, err := handlerPath(dir)
	if err != nil {
		return ""
	}
	platform := pack.PlatformOf(filepath.Join(dir, filepath.FromSlash(name)))
	if platform == "linux/"+runtime.GOARCH {
		return "" // it may be dev's
	}
	return platform
}

func (o *packOptions) upgrades(server string) bool {
	return slices.Contains(o.Upgrade, allServers) || slices.Contains(o.Upgrade, server)
}

func checkPacked(env *Env, task *pack.Options, asJSON bool) error {
	found, err := pack.Check(task)
	if err != nil {
		return err
	}
	file, err := config.Load(filepath.Join(task.Dir, configName), nil)
	if err != nil {
		return err
	}
	stale, err := pack.StaleManifest(task.Dir, file)
	if err != nil {
		return err
	}
	return printDifferences(env, append(found, stale...), asJSON, `run "mcpfunc pack", and review its changes to mcp_lock`)
}

// printDifferences prints a line a difference, and fails, with a hint, if there is one.
func printDifferences(env *Env, found []string, asJSON bool, help string) error {
	if asJSON {
		if err := printJSON(env.Stdout, append([]string{}, found...)); err != nil {
			return err
		}
	} else {
		for _, line := range found {
			if _, err := fmt.Fprintln(env.Stdout, oneLine(line)); err != nil {
				return err
			}
		}
	}
	if len(found) > 0 {
		return withHint(fmt.Errorf("%s", count(len(found), "difference")), help)
	}
	return nil
}

// packedIsCurrent says why what is packed in the project in dir is not what its configuration and
// locks ask for. A project that was never packed is as it should be.
func packedIsCurrent(ctx context.Context, env *Env, dir string) error {
	if !hasLock(dir) {
		return nil
	}
	task, err := (&packOptions{Dir: dir}).task(ctx, env)
	if err != nil {
		return err
	}
	found, err := pack.Check(task)
	if err != nil || len(found) == 0 {
		return err
	}
	return withHint(fmt.Errorf("the packed files do not match the project: %s", found[0]), `run "mcpfunc pack"`)
}

// printPacked prints one line per server, and what has changed since it was last locked.
func printPacked(w io.Writer, report *pack.Report) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range report.Servers {
		tools := "not started"
		if s.Tools != nil {
			tools = count(*s.Tools, "tool")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%.1f MB\t%s\n", s.Name, s.Kind, count(s.Packages, "package"), float64(s.Bytes)/1e6, tools)
	}
	if d := report.Dotnet; d != nil {
		fmt.Fprintf(table, ".NET\t%s\tfor %s\t%.1f MB\t\n", strings.Join(d.Versions, ", "), count(len(d.Servers), "server"), float64(d.Bytes)/1e6)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, s := range report.Servers {
		for _, c := range s.Changes {
			fmt.Fprintf(w, "%s: %s\n", s.Name, oneLine(c.String()))
		}
	}
	return printToolChanges(w, report)
}

// printToolChanges prints how tools have changed. All of it is quoted, because the author of a server
// hides an order in a description hides it from people too.
func printToolChanges(w io.Writer, report *pack.Report) error {
	for _, s := range report.Servers {
		for _, c := range s.ToolChanges {
			switch c.What {
			case "added":
				fmt.Fprintf(w, "%s: new tool %s: %q\n", s.Name, word(c.Name), c.Is)
			case "removed":
				fmt.Fprintf(w, "%s: the tool %s was removed\n", s.Name, word(c.Name))
			case "description":
				fmt.Fprintf(w, "%s: the description of the tool %s has changed\n  was %q\n  is  %q\n", s.Name, word(c.Name), c.Was, c.Is)
			default:
				fmt.Fprintf(w, "%s: the schema of the tool %s has changed\n", s.Name, word(c.Name))
			}
			for _, d := range c.Differences {
				where := d.Path
				if where == "" {
					where = "all of it"
				}
				fmt.Fprintf(w, "  %s: was %s, is %s\n", where, said(d.Was), said(d.Is))
			}
		}
	}
	return nil
}

// word is a name as it is, or quoted where a terminal could show it as something else.
func word(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` || strings.Contains(name, " ") {
		return quoted
	}
	return name
}

// said is a piece of JSON that a terminal shows as it is.
func said(text string) string {
	if text == "" {
		return "not there"
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// confirmTools shows which tools are others than they were, and asks whether that is as it should be.
func confirmTools(env *Env, report *pack.Report, unpinned map[string]bool) error {
	if !slices.ContainsFunc(report.Servers, func(s *pack.ServerReport) bool { return len(s.ToolChanges) > 0 && !unpinned[s.Name] }) {
		return nil
	}
	if err := printToolChanges(env.Stderr, report); err != nil {
		return err
	}
	if env.Prompter == nil {
		return withHint(errors.New("tools have changed since they were locked, so nothing was written"),
			"review the changes above; --yes accepts them")
	}
	yes, err := env.Prompter.Confirm("Accept the changed tools?")
	if err == nil && !yes {
		err = errors.New("nothing was changed")
	}
	return err
}

// goModules returns the modules that the handler of the project in dir requires, or none where
// there is no go.mod.
func goModules(ctx context.Context, env *Env, dir string) ([]pack.Module, error) {
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "edit", "-json")
	cmd.Dir, cmd.Env = dir, append(env.Environ[:len(env.Environ):len(env.Environ)], "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("read go.mod: %w", err)
	}
	var mod struct {
		Require []struct{ Path, Version string }
		Replace []struct {
			Old, New struct{ Path, Version string }
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return nil, fmt.Errorf("read go.mod: %w", err)
	}
	var modules []pack.Module
	for _, r := range mod.Require {
		m := pack.Module{Path: r.Path, Version: r.Version}
		for _, other := range mod.Replace {
			if other.Old.Path == r.Path {
				m.Version = other.New.Version // none for a folder: it is carried as it is
			}
		}
		modules = append(modules, m)
	}
	return modules, nil
}
