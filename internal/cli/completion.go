package cli

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/cmdline"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// addCompletions makes shells complete the arguments and flags of cmd and of the commands below it
// (`mcpfunc completion bash`). Arguments go by how the usage line names them, flags by their own name, so
// that a new command has its completions from the start.
func addCompletions(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		addCompletions(sub)
	}
	if cmd.HasParent() && cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = completeArgs
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		// The one error is that a flag has its completions already.
		_ = cmd.RegisterFlagCompletionFunc(f.Name, completeFlag(f.Name))
	})
}

// completeFlag completes a flag of that name, wherever it is.
func completeFlag(name string) cobra.CompletionFunc {
	words := func(list ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)
	}
	switch name {
	case "config", "from":
		return cobra.FixedCompletions([]string{"json", "jsonc", "toml", "yaml", "yml", "mcpb", "dxt"}, cobra.ShellCompDirectiveFilterFileExt)
	case "project":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case "auth":
		var methods []string
		for _, m := range authMethods {
			methods = append(methods, string(m))
		}
		return words(methods...)
	case "auth-level":
		return words(string(generator.LevelAnonymous), string(generator.LevelFunction), string(generator.LevelAdmin))
	case "hosting":
		return words(string(generator.HostingCustom), string(generator.HostingFlex))
	case "goos":
		return words("linux", "windows", "darwin")
	case "goarch":
		return words("amd64", "arm64")
	case "url":
		return words(localURL)
	default:
		return words()
	}
}

// completeArgs completes an argument of a command by what its usage line calls it. It only reads, and is
// silent about what it cannot read.
func completeArgs(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	places := strings.Fields(cmd.Use)[1:]
	if len(args) >= len(places) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	switch place := places[len(args)]; {
	case place == "[DIR]":
		return nil, cobra.ShellCompDirectiveFilterDirs
	case strings.HasSuffix(place, "SERVER"), cmd.Name() == "remove-server":
		return serversLike(projectOf(cmd), start), cobra.ShellCompDirectiveNoFileComp
	default:
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// projectOf is the project that a command works on.
func projectOf(cmd *cobra.Command) string {
	if f := cmd.Flags().Lookup("project"); f != nil {
		return f.Value.String()
	}
	return "."
}

// serversLike returns the servers of a project whose names begin with start, each with what it is.
func serversLike(project, start string) []string {
	file, err := config.Load(filepath.Join(project, configName), nil)
	if err != nil {
		return nil
	}
	var names []string
	for _, s := range file.Servers {
		what := s.Description
		if what == "" {
			what = strings.Join(append([]string{s.Command}, cmdline.Hide(s.Args)...), " ")
		}
		if strings.HasPrefix(s.Name, start) {
			names = append(names, cobra.CompletionWithDesc(s.Name, oneLine(what)))
		}
	}
	return names
}
