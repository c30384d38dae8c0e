package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/cmdline"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/importer"
)

type initOptions struct {
	Dir       string
	Config    string   // empty: found, or asked for
	As        []string // other names for servers of it
	Name      string   // empty: that of the folder
	Module    string   // empty: the name
	Hosting   hosting
	OTel      bool
	AuthLevel string // empty: by server
	Runtime   string // empty: copy
	DryRun    bool
	Force     bool
	Yes       bool
	JSON      bool

	// One server described on the command line instead of a file.
	Server  string
	Auth    string
	Env     []string
	Command []string

	typed []string // the flags on the command line, but for those about questions
}

func newInitCommand(env *Env, run func(context.Context, *Env, *initOptions) error) *cobra.Command {
	opts := &initOptions{}
	cmd := &cobra.Command{
		Use:   "init [DIR] [-- COMMAND ARGS...]",
		Short: "Scaffold a project from a configuration",
		Long: `Write a complete Azure Functions project (custom handler, in Go) into DIR, by
default the current folder. Its servers come from --config, from the command
after "--", from the configuration that is found (here, ~, ~/.config/mcp), or
from your answers on a terminal.

The configuration may have the format of any client, whatever the name of the
file: JSON of Claude, Cursor, VS Code, Windsurf, Cline, Zed, Gemini, opencode
and others, TOML of Codex, YAML of Goose, Continue and LibreChat, a registry's
server.json, or an MCP bundle. Servers that mcpfunc cannot serve, mostly remote
servers and containers, are skipped, and each change is reported, with the
reason.

The new files are printed. If files in DIR are in the way, all of them are
listed and nothing is written. A ${NAME} is never replaced, so secrets of this
machine do not get into the project; a secret in plain text causes a warning.
local.settings.json, which stays on this machine, gets a new session key.`,
		Example: `  mcpfunc init myapp
  mcpfunc init myapp --config ~/.codex/config.toml --dry-run
  mcpfunc init myapp --server time -- uvx mcp-server-time
  mcpfunc init myapp --hosting flex --azd --github`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.take(args, cmd.ArgsLenAtDash()); err != nil {
				return err
			}
			opts.typed = typedFlags(cmd)
			return run(cmd.Context(), env, opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Config, "config", "", "read the servers from this `file` or URL of any client, registry or bundle")
	flags.StringArrayVar(&opts.As, "as", nil, "rename the server to this `name`, or OLD=NAME for one of several; repeatable")
	flags.StringVar(&opts.Name, "name", "", "set the `name` of the app (default: the name of the folder)")
	flags.StringVar(&opts.Module, "module", "", "set the Go module `path` of the project (default: the name)")
	opts.Hosting.bind(cmd, "flex if a server starts with Python or Node, otherwise custom")
	flags.BoolVar(&opts.OTel, "otel", false, "include OpenTelemetry: traces and metrics over OTLP, configured by OTEL_* app settings")
	flags.StringVar(&opts.AuthLevel, "auth-level", "", "set the Functions key that callers need (`level`): anonymous, function or admin (default: function, but anonymous for servers that check tokens)")
	flags.StringVar(&opts.Runtime, "runtime", "", "choose `how` the project gets the runtime: copy (default) writes its sources into third_party; module requires the published version of this mcpfunc")
	flags.StringVar(&opts.Server, "server", "", "set the `name` of the server whose command follows \"--\"")
	flags.StringVar(&opts.Auth, "auth", "", "authenticate callers of that server with this `method`: none, azure_default, azure_obo or oauth2_bearer")
	flags.StringArrayVar(&opts.Env, "env", nil, "set a variable in that server's environment (`NAME=value`); repeatable")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "write nothing; print what would be done")
	flags.BoolVar(&opts.Force, "force", false, "overwrite files that are in the way")
	flags.BoolVarP(&opts.Yes, "yes", "y", false, "do not ask questions")
	flags.BoolVar(&opts.JSON, "json", false, "print a JSON object")
	return cmd
}

// take sorts and checks the arguments; dash is how many of them stand before "--", or negative.
func (o *initOptions) take(args []string, dash int) error {
	if dash >= 0 {
		args, o.Command = args[:dash], args[dash:]
	}
	if len(args) > 1 {
		return withHint(misusef("unexpected argument %q", args[1]), `write "--" before the command of a server`)
	}
	o.Dir = dirArg(args)
	levels := []generator.AuthLevel{"", generator.LevelAnonymous, generator.LevelFunction, generator.LevelAdmin}
	switch {
	case !slices.Contains(levels, generator.AuthLevel(o.AuthLevel)):
		return misusef("invalid --auth-level %q: want anonymous, function or admin", o.AuthLevel)
	case o.Config != "" && len(o.Command) > 0:
		return misusef("--config excludes a command: servers come from one of the two")
	case len(o.Command) == 0 && (o.Server != "" || o.Auth != "" || len(o.Env) > 0):
		return withHint(misusef("--server, --auth and --env need a command"), `write it after "--": -- COMMAND ARGS...`)
	}
	if !slices.Contains([]string{"", runtimeCopy, runtimeModule}, o.Runtime) {
		return misusef("invalid --runtime %q: want %s or %s", o.Runtime, runtimeCopy, runtimeModule)
	}
	if err := o.Hosting.check(); err != nil {
		return err
	}
	if _, err := parseAs(o.As); err != nil {
		return err
	}
	if len(o.Command) > 0 && len(o.As) > 0 {
		return misusef("--as renames a server of --config; name the server of a command with --server")
	}
	return checkAuthMethod(o.Auth)
}

// asks reports whether questions may be asked.
func (o *initOptions) asks(env *Env) bool { return env.Prompter != nil && !o.Yes }

func runInit(ctx context.Context, env *Env, opts *initOptions) error {
	src, err := chooseSource(ctx, env, opts)
	if err != nil {
		return err
	}
	file, err := config.Parse(src.path, src.data, nil)
	if err != nil {
		return err
	}
	warn(env, file.Warnings)
	warnOfServers(env, file, nil)
	answered, err := opts.Hosting.choose(env, opts.asks(env), file)
	if err != nil {
		return err
	}
	if answered {
		src.flags = append(src.flags, "--hosting", opts.Hosting.Kind)
	}
	if opts.asks(env) && opts.AuthLevel == "" {
		if opts.AuthLevel, err = askAuthLevel(env.Prompter); err != nil {
			return err
		}
		if opts.AuthLevel != "" {
			src.flags = append(src.flags, "--auth-level", opts.AuthLevel)
		}
	}
	name, err := projectName(opts)
	if err != nil {
		return err
	}
	version, err := runtimeVersion(opts.Runtime)
	if err != nil {
		return err
	}
	plan, err := generator.Project{
		Name: name, Module: opts.Module, AuthLevel: generator.AuthLevel(opts.AuthLevel),
		Hosting: generator.Hosting(opts.Hosting.Kind), Extras: opts.Hosting.Extras, OTel: opts.OTel,
		Config: file, ConfigData: src.data, SessionKey: sessionKeyFor(opts.Dir),
		Runtime: env.Runtime, RuntimeVersion: version,
	}.Plan()
	if err != nil {
		return err
	}
	if version != "" {
		if err := tidyModule(ctx, plan); err != nil {
			return err
		}
	}
	return carryOut(ctx, env, opts, src, file, plan)
}

// carryOut shows, confirms and writes the plan, as far as the options have it.
func carryOut(ctx context.Context, env *Env, opts *initOptions, src source, file *config.File, plan *generator.Plan) error {
	changes, err := plan.Changes(opts.Dir, generator.Init, opts.Force)
	if err != nil {
		return err
	}
	var servers []importer.Server
	if src.imported != nil {
		servers = src.imported.Servers
	}
	if err := bundleConflict(opts.Dir, servers); err != nil {
		return err
	}
	conflicts := withAction(changes, generator.Conflict)
	switch {
	case opts.DryRun:
		if err := printInit(env, opts, src, file, changes); err != nil {
			return err
		}
		if len(conflicts) > 0 {
			return initConflict(conflicts)
		}
		return nil
	case len(conflicts) > 0:
		return initConflict(conflicts) // before anybody is asked whether to go on
	case opts.asks(env):
		summarize(env, opts, src, file, changes)
		yes, err := env.Prompter.Confirm("Write the project?")
		if err != nil {
			return err
		}
		if !yes {
			return errors.New("nothing was written: you answered no")
		}
	}
	pinImages(ctx, env, opts.Dir, plan, changes, opts.Hosting.Offline)
	if changes, err = plan.Write(opts.Dir, generator.Init, opts.Force); err != nil {
		if c := (*generator.ConflictError)(nil); errors.As(err, &c) {
			return initConflict(c.Changes)
		}
		return fmt.Errorf("%s: %w", opts.Dir, err)
	}
	laid, err := layBundles(opts.Dir, servers)
	if err != nil {
		return fmt.Errorf("%s: %w", opts.Dir, err)
	}
	if err := printInit(env, opts, src, file, append(pending(changes), laid...)); err != nil {
		return err
	}
	warnOfPaths(env, file, opts.Dir, src.origin)
	nextSteps(env, opts.Dir, file)
	return nil
}

func initConflict(conflicts []generator.Change) error {
	return withHint(fmt.Errorf("nothing was written: %w", &generator.ConflictError{Changes: conflicts}),
		"use --force to overwrite files (links and folders are kept), or another DIR")
}

// printInit prints what was or would be done.
func printInit(env *Env, opts *initOptions, src source, file *config.File, changes []generator.Change) error {
	if !opts.JSON {
		return printChanges(env, changes, false)
	}
	return printJSON(env.Stdout, struct {
		Dir     string         `json:"dir"`
		DryRun  bool           `json:"dry_run,omitempty"`
		Servers []listedServer `json:"servers"`
		importReport
		Changes []generator.Change `json:"changes"`
	}{opts.Dir, opts.DryRun, listServers(file), reportOf(src.imported), changes})
}

// summarize shows what is about to be written. It belongs to the question that follows, so that --quiet
// leaves it.
func summarize(env *Env, opts *initOptions, src source, file *config.File, changes []generator.Change) {
	style := styleFor(env, env.Stderr)
	env.complain("%s into %s", style.bold("These files will be written"), opts.Dir)
	for len(changes) > 0 {
		n, what := sameInCarried(changes), changes[0].Path
		if n > 1 {
			what = fmt.Sprintf("%s (%s)", carriedDir, count(n, "file"))
		}
		env.complain("  %s %s", style.green(fmt.Sprintf("%-9s", changes[0].Action)), what)
		changes = changes[n:]
	}
	for _, s := range file.Enabled() {
		env.complain("  serves    %s at %s: %s", style.bold(s.Name), serverPath(s.Name), oneLine(strings.Join(append([]string{s.Command}, cmdline.Hide(s.Args)...), " ")))
	}
	env.complain("  without questions: %s", style.dim(opts.commandLine(src)))
}

// typedFlags returns the flags on the command line of cmd, as words.
func typedFlags(cmd *cobra.Command) []string {
	var words []string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "yes", "quiet", "verbose", // change nothing in the project
			"config", "server", "auth", "as": // the source says them
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, value := range list.GetSlice() {
				words = append(words, "--"+f.Name, value)
			}
			return
		}
		switch value := f.Value.String(); {
		case f.Value.Type() != "bool":
			words = append(words, "--"+f.Name, value)
		case value == "true":
			words = append(words, "--"+f.Name)
		default:
			words = append(words, "--"+f.Name+"="+value)
		}
	})
	return words
}

// commandLine is what gives the same project without a question, but for secrets, which are not shown.
func (o *initOptions) commandLine(src source) string {
	words := []string{"mcpfunc", "init", o.Dir}
	for _, word := range slices.Concat(o.typed, src.flags) {
		if strings.HasPrefix(word, "--env=") { // the only flag that may hold one
			word = cmdline.Hide([]string{word})[0]
		}
		words = append(words, word)
	}
	words = append(words, "--yes")
	if len(src.command) > 0 {
		words = slices.Concat(words, []string{"--"}, cmdline.Hide(src.command))
	}
	return shellquote.Join(words...)
}

// nextSteps says what to do with a new project.
func nextSteps(env *Env, dir string, file *config.File) {
	style := styleFor(env, env.Stderr)
	env.note("\n%s", style.bold("Next:"))
	if dir != "." {
		env.note("  %s", commandLine("cd", []string{dir}))
	}
	if names := wanted(file.Variables); len(names) > 0 {
		env.note("  fill in %s in local.settings.json", strings.Join(names, ", "))
	}
	for _, s := range file.Enabled() {
		if headers := generator.CallerHeaders(s); len(headers) > 0 {
			env.note("  every client of %s must send %s", s.Name, strings.Join(headers, ", "))
		}
	}
	env.note("  mcpfunc dev            build it and serve it here")
	if len(generator.Stacks(file)) > 0 {
		env.note("  mcpfunc pack           install the packages that its servers would download when they start")
	}
	env.note("  mcpfunc publish APP    build it, check it and publish it to a function app")
}

// projectName is what was asked for, else what the module's path ends in, else the folder's name as
// far as a name may hold it.
func projectName(opts *initOptions) (string, error) {
	if opts.Name != "" || opts.Module != "" {
		return opts.Name, nil
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return "", err
	}
	return nameFrom(filepath.Base(dir), "app"), nil
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// nameFrom makes a name of letters, digits, "-" and "_" of text, or returns otherwise.
func nameFrom(text, otherwise string) string {
	name := strings.Trim(notInName.ReplaceAllString(text, "-"), "-_")
	if name = name[:min(len(name), 63)]; name == "" {
		return otherwise
	}
	return name
}
