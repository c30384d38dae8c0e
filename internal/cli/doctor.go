package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

type doctorOptions struct {
	Project string
	JSON    bool
}

func newDoctorCommand(env *Env, run func(context.Context, *Env, *doctorOptions) error) *cobra.Command {
	opts := &doctorOptions{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check that what a project needs is on this machine",
		Long: `Check that Go is there, and, in a project, that its configuration is valid with every
${NAME} set, and that the commands of its servers are on PATH. The command fails when
something would, and says the cure. What a server needs must be on Azure too.`,
		Example: `  mcpfunc doctor
  mcpfunc doctor --project myapp --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), env, opts) },
	}
	bindProject(cmd, &opts.Project)
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print a list of objects")
	cmd.AddCommand(newDoctorAuthCommand(env, runDoctorAuth))
	return cmd
}

// A check is one line of the doctor's report.
type check struct {
	Name   string `json:"name"`
	Status status `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

// A status says how much a check matters.
type status string

const (
	statusOK      status = "ok"
	statusMissing status = "missing" // nothing here needs it
	statusFail    status = "fail"
)

func runDoctor(ctx context.Context, env *Env, opts *doctorOptions) error {
	checks := append([]check{checkGo(ctx)}, checkProject(env, opts.Project)...)
	return report(env, append(checks, checkIsolation()), opts.JSON)
}

// report prints checks, and fails if one of them has.
func report(env *Env, checks []check, asJSON bool) error {
	if err := printChecks(env, checks, asJSON); err != nil {
		return err
	}
	failed := 0
	for _, c := range checks {
		if c.Status == statusFail {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s failed", count(failed, "check"))
	}
	return nil
}

func printChecks(env *Env, checks []check, asJSON bool) error {
	if asJSON {
		return printJSON(env.Stdout, checks)
	}
	table := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	for _, c := range checks {
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.Status, c.Name, oneLine(c.Detail))
		if c.Hint != "" {
			fmt.Fprintf(table, "\t\thint: %s\n", oneLine(c.Hint))
		}
	}
	return table.Flush()
}

func checkGo(ctx context.Context) check {
	c := checkCommand("go", statusFail)
	if c.Status != statusOK {
		return c
	}
	out, err := exec.CommandContext(ctx, c.Detail, "env", "GOVERSION").Output()
	if err != nil {
		return check{Name: "go", Status: statusFail, Detail: fmt.Sprintf("%s does not run: %v", c.Detail, err), Hint: installHint("go")}
	}
	c.Detail = fmt.Sprintf("%s (%s)", c.Detail, bytes.TrimSpace(out))
	return c
}

// checkIsolation says how far servers' processes are kept apart on this machine.
func checkIsolation() check {
	keeper := process.Open(slog.New(slog.DiscardHandler))
	defer keeper.Close()
	return check{Name: "isolation", Status: statusOK, Detail: keeper.Isolation()}
}

// checkCommand looks for a program on PATH; otherwise is its status when it is not there.
func checkCommand(program string, otherwise status) check {
	path, err := exec.LookPath(program)
	if err != nil {
		if filepath.Base(program) != program {
			return check{Name: program, Status: otherwise, Detail: "no program is there"}
		}
		return check{Name: program, Status: otherwise, Detail: "not on PATH", Hint: installHint(program)}
	}
	return check{Name: program, Status: statusOK, Detail: path}
}

// checkProject checks the project in dir. Outside of one it looks for the programs that start most
// servers.
func checkProject(env *Env, dir string) []check {
	path := filepath.Join(dir, configName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return []check{checkCommand("uvx", statusMissing), checkCommand("npx", statusMissing)}
	}
	file, err := config.Load(path, nil)
	if err != nil {
		return []check{failure(configName, err)}
	}
	checks := []check{{Name: configName, Status: statusOK, Detail: count(len(file.Enabled()), "server") + " switched on"}}

	resolved, err := resolveConfig(env, dir)
	if err != nil {
		checks = append(checks, failure("variables", err))
	} else {
		file = resolved // commands may hold variables too
	}
	seen := map[string]bool{}
	for _, s := range file.Enabled() {
		command := s.Command
		if strings.ContainsAny(command, `/\`) && !filepath.IsAbs(command) {
			command = filepath.Join(dir, s.Dir, command) // the app runs in its own folder
		}
		if !seen[command] {
			seen[command] = true
			checks = append(checks, checkCommand(command, statusFail))
		}
	}
	return checks
}

func failure(name string, err error) check {
	return check{Name: name, Status: statusFail, Detail: err.Error(), Hint: hintOf(err)}
}
