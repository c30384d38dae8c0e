package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newRootCommand(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "mcpfunc",
		Short: "Run stdio MCP servers as a service on Azure Functions",
		Long: `mcpfunc runs stdio MCP servers on Azure Functions. It reads mcp_config.json and
generates a Go custom-handler project that serves each session with its own
isolated process, over streamable HTTP.`,
		Example: `  mcpfunc demo                  see it work, on an embedded server
  mcpfunc init myapp            scaffold a project from the mcp_config.json found here
  mcpfunc dev myapp             build it and serve it on http://127.0.0.1:7071
  mcpfunc tools time            list the tools of its server "time"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			err := fmt.Errorf("unknown command %q", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return withHint(err, fmt.Sprintf("did you mean %q?", near[0]))
			}
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := cmd.Help()
			env.note("\n%s", whatNext(".", env.Home))
			return err
		},
		Version:       versionLine(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SuggestionsMinimumDistance = 2
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", helpWidth)))
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)

	flags := root.PersistentFlags()
	flags.BoolVarP(&env.quiet, "quiet", "q", false, "print only results and errors")
	flags.BoolVarP(&env.verbose, "verbose", "v", false, "also print commands and requests")

	root.AddGroup(
		&cobra.Group{ID: groupProject, Title: "Write a project:"},
		&cobra.Group{ID: groupRun, Title: "Build and run it:"},
		&cobra.Group{ID: groupClient, Title: "Talk to it:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupProject,
		newInitCommand(env, runInit),
		newAddServerCommand(env, runAddServer),
		newRemoveServerCommand(env, runRemoveServer),
		newListCommand(env, runList),
		newValidateCommand(env, runValidate),
		newGenerateCommand(env, runGenerate),
	)
	add(groupRun,
		newDevCommand(env, runDev),
		newBuildCommand(env, runBuild),
		newPackCommand(env, runPack),
		newManifestCommand(env, runManifest),
		newDemoCommand(env, runDemo),
		newDoctorCommand(env, runDoctor),
		newPublishCommand(env, runPublish),
		newKeyCommand(env, runKey),
	)
	add(groupClient,
		newToolsCommand(env, runTools),
		newCallCommand(env, runCall),
	)
	root.AddCommand(newVersionCommand(env, runVersion), newDemoServerCommand(env, runDemoServer), newAZDPreprovisionCommand(env, runAZDPreprovision))
	addCompletions(root)
	return root
}

// helpWidth is how wide help is, in columns: it fits a terminal that nobody has widened.
const helpWidth = 80

// The groups of the root's help.
const (
	groupProject = "project"
	groupRun     = "run"
	groupClient  = "client"
)
