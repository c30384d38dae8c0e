package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/doctor"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

type doctorOptions struct {
	Project string
	Strict  bool
	JSON    bool
	Remote  remoteOptions
}

func newDoctorCommand(env *Env, run func(context.Context, *Env, *doctorOptions) error) *cobra.Command {
	opts := &doctorOptions{}
	cmd := &cobra.Command{
		Use:   "doctor [DIR]",
		Short: "Check what would fail, here and on Azure",
		Long: `Check the project in DIR (default: the current folder): the programs that build
and publish it, its variables, the commands of its servers as their processes
will see them, packages that are not pinned, secrets in the configuration, and
what the chosen hosting does not include or allow. Outside a project, check only
the programs. Every finding that is not ok has a hint. The command fails if
something would fail; with --strict, also if there is a warning.

With --remote, check a live app instead: whether it is ready and its profile is
honored, which programs, PATH and isolation its instances have, which route
requires which credential, whether large refusals and streams arrive, how long
the first tool takes, and how many instances answer. Most of these checks need a
key: pass it in $MCPFUNC_KEY or as a header. The command opens one session at a
time, ends it, and does not call any tool. If az is on PATH, it is asked for the
hostname of an app that is given by its name.`,
		Example: `  mcpfunc doctor
  mcpfunc doctor myapp --json
  mcpfunc doctor --strict     in CI
  mcpfunc doctor --remote my-app
  mcpfunc doctor --remote http://127.0.0.1:7071 --json`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := projectArg(cmd, args, &opts.Project); err != nil {
				return err
			}
			if err := opts.Remote.check(cmd, args); err != nil {
				return err
			}
			return run(cmd.Context(), env, opts)
		},
	}
	bindProject(cmd, &opts.Project)
	cmd.Flags().BoolVar(&opts.Strict, "strict", false, "fail if there is a warning, too")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print a JSON list")
	opts.Remote.bind(cmd)
	cmd.AddCommand(newDoctorAuthCommand(env, runDoctorAuth))
	return cmd
}

func runDoctor(ctx context.Context, env *Env, opts *doctorOptions) error {
	if opts.Remote.Target != "" {
		findings, err := opts.Remote.ask(ctx, env)
		if err != nil {
			return err
		}
		return report(env, findings, opts.Strict, opts.JSON)
	}
	if info, err := os.Stat(opts.Project); err != nil || !info.IsDir() {
		return withHint(fmt.Errorf("%s is not a folder", opts.Project), "name the folder of a project, or omit it to check this machine only")
	}
	findings := append(examine(ctx, env, opts.Project), isolation(), sandboxes(opts.Project))
	return report(env, findings, opts.Strict, opts.JSON)
}

// report prints findings, and fails if one would; if strict is set, also if one may.
func report(env *Env, findings []doctor.Finding, strict, asJSON bool) error {
	if err := printReport(env, findings, asJSON); err != nil {
		return err
	}
	switch failures, warnings := doctor.Failures(findings), doctor.Warnings(findings); {
	case failures > 0:
		return fmt.Errorf("%s failed", count(failures, "check"))
	case strict && warnings > 0:
		return fmt.Errorf("%s, which --strict does not allow", count(warnings, "warning"))
	}
	return nil
}

// examine looks at the project in dir, and at this machine alone where there is no configuration.
func examine(ctx context.Context, env *Env, dir string) []doctor.Finding {
	p, err := openProject(env, dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		findings := doctor.Tools(ctx, env.Environ)
		if above := projectAbove(dir); above != "" {
			findings = append(findings, doctor.Finding{
				Name: "project", Status: doctor.Fail, Hint: "run this in " + above + ", or name that folder; func and azd, too, deploy the folder that they are run in",
				Detail: dir + " is a folder inside the project in " + above + ", and not the project",
			})
		}
		return findings
	case err != nil:
		bad := doctor.Finding{Name: nameOf(err), Status: doctor.Fail, Detail: err.Error(), Hint: hintOf(err)}
		return append(doctor.Tools(ctx, env.Environ), bad)
	}
	return append(p.Machine(ctx), p.Deployment(ctx)...)
}

// nameOf is what a finding is called that keeps everything else from being looked at.
func nameOf(err error) string {
	if errors.As(err, new(*config.Error)) {
		return configName
	}
	return "project"
}

// openProject prepares the project in dir for its examination. An error is fs.ErrNotExist where there
// is no configuration.
func openProject(env *Env, dir string) (*doctor.Project, error) {
	path := filepath.Join(dir, configName)
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	file, err := config.Parse(path, data, nil)
	if err != nil {
		return nil, err
	}
	settings, err := localSettings(dir)
	if err != nil {
		return nil, err
	}
	return doctor.Open(doctor.Project{
		Dir: dir, Data: data, File: file, Settings: settings, Environ: env.Environ, Runtime: env.Runtime,
	})
}

func printReport(env *Env, findings []doctor.Finding, asJSON bool) error {
	if asJSON {
		return printJSON(env.Stdout, findings)
	}
	table := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Status, f.Name, oneLine(f.Detail))
		if f.Hint != "" {
			fmt.Fprintf(table, "\t\thint: %s\n", oneLine(f.Hint))
		}
	}
	return table.Flush()
}

// isolation says how far servers' processes are kept apart on this machine.
func isolation() doctor.Finding {
	supervisor := process.Open(slog.New(slog.DiscardHandler))
	defer supervisor.Close()
	supervisor.TakeProcess() // as a handler does
	f := doctor.Finding{Name: "isolation", Status: doctor.OK, Detail: supervisor.Isolation()}
	if text, hint := supervisor.Limitation(); text != "" {
		f.Status, f.Detail, f.Hint = doctor.Warn, f.Detail+"; "+text, hint
	}
	return f
}

// sandboxes says what this machine can keep up of what the servers of a project ask for.
func sandboxes(dir string) doctor.Finding {
	tier, whole := process.SandboxTier()
	f := doctor.Finding{Name: "sandbox", Status: doctor.OK, Detail: "sandboxes that servers ask for can be enforced here: " + tier}
	if whole {
		return f
	}
	f.Detail = "this machine enforces " + tier
	file, err := config.Load(filepath.Join(dir, configName), nil)
	if err != nil {
		return f // which another finding says
	}
	for _, s := range file.Enabled() {
		box := process.Sandbox{NoNetwork: s.Sandbox.NoNetwork, ReadOnly: s.Sandbox.ReadOnly, Optional: s.Sandbox.Optional}
		for _, port := range s.Sandbox.Ports {
			box.Ports = append(box.Ports, uint16(port))
		}
		for _, err := range box.Check() {
			f.Status, f.Detail = doctor.Fail, fmt.Sprintf("%s; the server %q cannot start here: %v", f.Detail, s.Name, err)
			f.Hint = `set "required": false to serve without it here`
			if box.Optional {
				f.Status, f.Detail, f.Hint = doctor.Warn, fmt.Sprintf("%s; the server %q starts without it: %v", f.Detail, s.Name, err), ""
				continue
			}
			return f
		}
	}
	return f
}
