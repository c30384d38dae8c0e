package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

type versionOptions struct{ JSON bool }

func newVersionCommand(env *Env, run func(context.Context, *Env, *versionOptions) error) *cobra.Command {
	opts := &versionOptions{}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of mcpfunc",
		Long:  `Print the version of mcpfunc, of the Go that built it, and the platform.`,
		Example: `  mcpfunc version
  mcpfunc version --json`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), env, opts) },
	}
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print a JSON object")
	return cmd
}

func runVersion(_ context.Context, env *Env, opts *versionOptions) error {
	v := struct {
		Version  string `json:"version"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{buildVersion(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	if opts.JSON {
		return printJSON(env.Stdout, v)
	}
	_, err := fmt.Fprintln(env.Stdout, versionLine())
	return err
}

// versionLine is what --version prints, too.
func versionLine() string {
	return fmt.Sprintf("mcpfunc %s %s %s/%s", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// released is the version of a release that was not built by "go install": .goreleaser.yaml sets it.
var released string

// buildVersion returns the version of this binary: of the release, or as the go command stamped it.
func buildVersion() string {
	if released != "" {
		return released
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
