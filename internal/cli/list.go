package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/cmdline"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

type listOptions struct {
	Project string
	Config  string // empty means that of the project
	JSON    bool
}

func newListCommand(env *Env, run func(context.Context, *Env, *listOptions) error) *cobra.Command {
	opts := &listOptions{}
	cmd := &cobra.Command{
		Use:   "list [DIR]",
		Short: "List the servers of the configuration",
		Long: `List the servers of the project in DIR (default: the current folder) in the
order of its mcp_config.json, each with its path. A disabled server does not
have a path; the server marked * is also served at /api/mcp.`,
		Example: `  mcpfunc list
  mcpfunc list myapp --json
  mcpfunc list --config ~/.cursor/mcp.json`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := configArg(cmd, args, &opts.Project); err != nil {
				return err
			}
			return run(cmd.Context(), env, opts)
		},
	}
	bindProject(cmd, &opts.Project)
	cmd.Flags().StringVar(&opts.Config, "config", "", "list the servers of this `file` instead")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print a JSON list")
	return cmd
}

// A listedServer is a server as list shows it. Environment values are left out: they may be secret. So are
// arguments that are.
type listedServer struct {
	Name        string            `json:"name"`
	Enabled     bool              `json:"enabled"`
	Default     bool              `json:"default,omitempty"`
	Path        string            `json:"path,omitempty"` // empty when it is switched off
	Auth        config.AuthMethod `json:"auth"`
	Command     string            `json:"command"`
	Args        []string          `json:"args,omitempty"`
	Headers     []string          `json:"headers,omitempty"` // that every request has to carry, for env_from_headers
	Sandbox     string            `json:"sandbox,omitempty"`
	Description string            `json:"description,omitempty"`
}

func runList(_ context.Context, env *Env, opts *listOptions) error {
	file, err := readConfig(env, configPath(opts.Project, opts.Config))
	if err != nil {
		return err
	}
	servers := listServers(file)
	if opts.JSON {
		return printJSON(env.Stdout, servers)
	}
	table := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	head := []string{"SERVER", "PATH", "AUTH", "COMMAND"}
	described := slices.ContainsFunc(servers, func(s listedServer) bool { return s.Description != "" })
	confined := slices.ContainsFunc(servers, func(s listedServer) bool { return s.Sandbox != "" })
	if confined {
		head = append(head, "SANDBOX")
	}
	if described {
		head = append(head, "DESCRIPTION")
	}
	fmt.Fprintln(table, strings.Join(head, "\t"))
	for _, s := range servers {
		path := s.Path
		switch {
		case !s.Enabled:
			path = "(off)"
		case s.Default:
			path += " *"
		}
		row := []string{s.Name, path, string(s.Auth), oneLine(strings.Join(append([]string{s.Command}, s.Args...), " "))}
		if confined {
			row = append(row, oneLine(s.Sandbox))
		}
		if described {
			row = append(row, oneLine(s.Description))
		}
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

func listServers(file *config.File) []listedServer {
	first, _ := file.Default()
	servers := make([]listedServer, 0, len(file.Servers))
	for _, s := range file.Servers {
		l := listedServer{
			Name: s.Name, Enabled: s.Enabled, Auth: s.Auth.Method,
			Command: s.Command, Args: cmdline.Hide(s.Args), Description: s.Description, Sandbox: s.Sandbox.String(),
		}
		if s.Enabled {
			l.Path = serverPath(s.Name)
			l.Headers = generator.CallerHeaders(s)
			l.Default = s.Name == first.Name
		}
		servers = append(servers, l)
	}
	return servers
}

// serverPath is where a server is served.
func serverPath(name string) string { return "/api/mcp/" + name }

// configArg is projectArg for a command that --config sends to a file instead.
func configArg(cmd *cobra.Command, args []string, dir *string) error {
	if len(args) > 0 && cmd.Flags().Changed("config") {
		return misusef("%q and --config both name a configuration", args[0])
	}
	return projectArg(cmd, args, dir)
}

// configPath returns file, or the configuration of the project in dir when file is empty.
func configPath(dir, file string) string {
	if file != "" {
		return file
	}
	return filepath.Join(dir, configName)
}
