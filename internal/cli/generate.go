package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/generator"
)

type generateOptions struct {
	Project string
	Hosting hosting
	Check   bool
	Pin     bool
	Force   bool
	JSON    bool
}

func newGenerateCommand(env *Env, run func(context.Context, *Env, *generateOptions) error) *cobra.Command {
	opts := &generateOptions{}
	cmd := &cobra.Command{
		Use:   "generate [DIR]",
		Short: "Update the generated files from the configuration",
		Long: `Update the files that are generated from mcp_config.json in the project in DIR
(default: the current folder): host.json, one function.json per server, and the
carried runtime. Your own files are kept, except that a local.settings.json
without a session key gets one. Changes are printed, one per line.

With --check nothing is written, and the command fails if a file is out of date.
It ignores local.settings.json, which stays on one machine. It also fails if a
function.json of your own is invalid for the host or takes the requests of a
server; without --check, this is a warning. So is a ${NAME} that no file of
infra/ passes to the app.

The project keeps its hosting unless you pass --hosting. --docker, --azd and
--github add files that you own from then on. Existing files are kept, so
--redis has no effect if infra/ exists. Only --pin changes a Dockerfile.`,
		Example: `  mcpfunc generate
  mcpfunc generate myapp --check     in CI
  mcpfunc generate --hosting flex --azd
  mcpfunc generate --pin             update digests in the Dockerfile`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := projectArg(cmd, args, &opts.Project); err != nil {
				return err
			}
			if err := opts.Hosting.check(); err != nil {
				return err
			}
			if opts.Pin && (opts.Check || opts.Hosting.Offline) {
				return misusef("--pin excludes --check and --offline: it asks registries and changes the Dockerfile")
			}
			return run(cmd.Context(), env, opts)
		},
	}
	bindProject(cmd, &opts.Project)
	opts.Hosting.bind(cmd, "the project's hosting")
	cmd.Flags().BoolVar(&opts.Check, "check", false, "write nothing; fail if a generated file is out of date")
	cmd.Flags().BoolVar(&opts.Pin, "pin", false, "pin the base images of the Dockerfile to the digests that their tags have now")
	cmd.Flags().BoolVar(&opts.Force, "force", false, "overwrite edited files of the carried runtime")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print the changes as a JSON list")
	return cmd
}

func runGenerate(ctx context.Context, env *Env, opts *generateOptions) error {
	data, err := readProjectConfig(opts.Project)
	if err != nil {
		return err
	}
	a, err := alignAs(env, opts.Project, data, opts.Force, opts.change)
	if err != nil {
		return err
	}
	changes := withAction(a.changes, generator.Create, generator.Update, generator.Remove, generator.Conflict)
	var pinned []generator.Change
	if opts.Pin && !has(withAction(changes, generator.Create), dockerfile) { // a new one is pinned in any case
		if pinned, err = repin(ctx, env, opts.Project); err != nil {
			return err
		}
	}
	if !opts.Check {
		pinImages(ctx, env, opts.Project, a.plan, a.changes, opts.Hosting.Offline)
		if changes, err = a.write(); err != nil {
			return err
		}
	}
	changes = append(changes, pinned...)
	if err := printChanges(env, changes, opts.JSON); err != nil {
		return err
	}
	if opts.Hosting.Kind != "" && !opts.Check && len(changes) > 0 {
		noteYours(env, opts.Project, generator.Hosting(opts.Hosting.Kind), changes)
	}
	p, err := openProject(env, opts.Project)
	if err != nil {
		return err
	}
	found := p.Functions()
	complainOf(env, slices.Concat(found, p.Parameters()))
	switch {
	case opts.Check && len(changes) > 0:
		return withHint(fmt.Errorf("not up to date with %s: %s", configName, paths(changes)), `run "mcpfunc generate"`)
	case opts.Check && len(found) > 0:
		return withHint(fmt.Errorf("%s of your own functions would fail on Azure", count(len(found), "file")), `"mcpfunc doctor" lists all of them`)
	}
	return nil
}

// noteYours says what a change of hosting leaves to the owner of the project in dir.
func noteYours(env *Env, dir string, to generator.Hosting, changes []generator.Change) {
	var names []string
	for _, name := range []string{"README.md", "local.settings.json", "infra", ".github/workflows/deploy.yml"} {
		written := slices.ContainsFunc(changes, func(c generator.Change) bool { return c.Path == name })
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err == nil && !written {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		env.note("kept, because they are your files: %s", strings.Join(names, ", "))
	}
	if to == generator.HostingFlex {
		env.note("the app must be on Flex Consumption, with the app setting %s", generator.FeatureSetting)
	}
}

// change makes of a project what is to be generated. What is compared with --check is what the
// repository holds, and local.settings.json is not in the repository.
func (o *generateOptions) change(p *generator.Project) {
	if o.Hosting.Kind != "" {
		p.Hosting = generator.Hosting(o.Hosting.Kind)
	}
	p.Extras = o.Hosting.Extras
	if p.AddSessionKey = !o.Check; o.Check {
		p.SessionKey = ""
	}
}

// printChanges prints one line a change, or a list.
func printChanges(env *Env, changes []generator.Change, asJSON bool) error {
	if asJSON {
		if changes == nil {
			changes = []generator.Change{}
		}
		return printJSON(env.Stdout, changes)
	}
	for len(changes) > 0 {
		n := sameInCarried(changes)
		line := fmt.Sprintf("%s %s", changes[0].Action, changes[0].Path)
		if n > 1 {
			line = fmt.Sprintf("%s %s (%s)", changes[0].Action, carriedDir, count(n, "file"))
		}
		if _, err := fmt.Fprintln(env.Stdout, line); err != nil {
			return err
		}
		changes = changes[n:]
	}
	return nil
}

// carriedDir holds the sources that a project carries: many files, and none of them a surprise.
const carriedDir = "third_party/mcpfunc/"

// sameInCarried returns how many of the first changes are told as one: those that do the same in
// carriedDir, but for the few that a person would want to see by name.
func sameInCarried(changes []generator.Change) int {
	n := 0
	for n < len(changes) && changes[n].Action == changes[0].Action && strings.HasPrefix(changes[n].Path, carriedDir) {
		n++
	}
	if n <= 5 {
		return 1
	}
	return n
}

// paths lists the paths of changes as a clause.
func paths(changes []generator.Change) string {
	names := make([]string, len(changes))
	for i, c := range changes {
		names[i] = c.Path
	}
	return strings.Join(names, ", ")
}
