package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/doctor"
)

type validateOptions struct {
	Project string
	Config  string // empty means that of the project
	Resolve bool
	JSON    bool
}

func newValidateCommand(env *Env, run func(context.Context, *Env, *validateOptions) error) *cobra.Command {
	opts := &validateOptions{}
	cmd := &cobra.Command{
		Use:   "validate [DIR]",
		Short: "Check the configuration",
		Long: `Check the mcp_config.json of the project in DIR (default: the current folder),
or another file, by the rules of the runtime. The command shows the first error
with its line and fails. Warnings, for example about packages that are not
pinned or secrets in plain text, do not make it fail. With --resolve, every
${NAME} must have a value in the environment or in local.settings.json, as when
the app starts; values are not shown. In a project, a function.json of your own
that is invalid for the host or takes the requests of a server is also an error.`,
		Example: `  mcpfunc validate
  mcpfunc validate myapp --resolve
  mcpfunc validate --config ~/.cursor/mcp.json --json`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := configArg(cmd, args, &opts.Project); err != nil {
				return err
			}
			return run(cmd.Context(), env, opts)
		},
	}
	bindProject(cmd, &opts.Project)
	cmd.Flags().StringVar(&opts.Config, "config", "", "check this `file` instead")
	cmd.Flags().BoolVar(&opts.Resolve, "resolve", false, "require a value here for every ${NAME}")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print a JSON object")
	return cmd
}

// A finding is an error or a warning as validate --json shows it.
type finding struct {
	Line   int    `json:"line,omitempty"`
	Server string `json:"server,omitempty"`
	Key    string `json:"key,omitempty"`
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"`
}

func runValidate(_ context.Context, env *Env, opts *validateOptions) error {
	path := configPath(opts.Project, opts.Config)
	var lookup func(string) (string, bool)
	if opts.Resolve {
		var err error
		if lookup, err = settingsLookup(env, filepath.Dir(path)); err != nil {
			return err
		}
	}
	file, err := config.Load(path, lookup)
	err = noProject(path, err)
	if err == nil {
		var advice []config.Warning
		if advice, err = advise(path); err == nil {
			file.Warnings = append(file.Warnings, advice...)
		}
	}
	if err == nil && opts.Config == "" {
		err = servedByHost(env, opts.Project)
	}
	if opts.JSON {
		return errors.Join(printFindings(env, path, file, err), err)
	}
	if err != nil {
		return err
	}
	warn(env, file.Warnings)
	on := len(file.Enabled())
	_, err = fmt.Fprintf(env.Stdout, "%s is valid: %s, %d enabled\n", path, count(len(file.Servers), "server"), on)
	return err
}

// servedByHost says which function.json of a project's owner keeps the host from serving the servers: the
// first, if there are several.
func servedByHost(env *Env, dir string) error {
	p, err := openProject(env, dir)
	if err != nil {
		return err
	}
	for _, f := range p.Functions() {
		return withHint(errors.New(f.Detail), f.Hint)
	}
	return nil
}

// advise returns what is to be said of a valid configuration. It goes by what is written, not by
// what variables made of it.
func advise(path string) ([]config.Warning, error) {
	file, err := config.Load(path, nil)
	if err != nil {
		return nil, err
	}
	var warnings []config.Warning
	for _, a := range doctor.Advise(file) {
		warnings = append(warnings, a.Warning)
	}
	return warnings, nil
}

func printFindings(env *Env, path string, file *config.File, err error) error {
	report := struct {
		File     string    `json:"file"`
		Valid    bool      `json:"valid"`
		Error    *finding  `json:"error,omitempty"`
		Warnings []finding `json:"warnings"`
	}{File: path, Valid: err == nil, Warnings: []finding{}}

	if e := (*config.Error)(nil); errors.As(err, &e) {
		report.Error = &finding{e.Line, e.Server, e.Key, e.Err.Error(), e.Hint}
	} else if err != nil {
		report.Error = &finding{Text: oneLine(err.Error()), Hint: hintOf(err)}
	}
	if file != nil {
		for _, w := range file.Warnings {
			report.Warnings = append(report.Warnings, finding{w.Line, w.Server, w.Key, w.Text, w.Hint})
		}
	}
	return printJSON(env.Stdout, report)
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
