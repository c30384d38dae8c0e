package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/publish"
)

type keyOptions struct{ JSON bool }

func newKeyCommand(env *Env, run func(context.Context, *Env, *keyOptions) error) *cobra.Command {
	opts := &keyOptions{}
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Print a new session key",
		Long: `Print a new value for the app setting MCPFUNC_SESSION_KEY, with which any
instance serves a session that another one opened: 32 random bytes in base64, a
secret. With --json, print it in the format that az reads. init creates the key
for this machine, publish and azd up the key of an app. Use this command where
they cannot set it, and to replace a key without ending sessions ("Keys" in the
guide).`,
		Example: `  mcpfunc key
  mcpfunc key --json | az functionapp config appsettings set -g GROUP -n APP --settings @- -o none`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), env, opts) },
	}
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print the app setting as a JSON list")
	return cmd
}

func runKey(_ context.Context, env *Env, opts *keyOptions) error {
	if opts.JSON {
		return printJSON(env.Stdout, publish.NewKeySetting())
	}
	_, err := fmt.Fprintln(env.Stdout, generator.NewSessionKey())
	return err
}

// sessionKeyFor returns the key that a project to be written into dir gets: the one that an earlier
// project left in local.settings.json there, or a new one. Settings that cannot be read have none; that
// they are in the way is for the plan to say.
func sessionKeyFor(dir string) string {
	if settings, err := localSettings(dir); err == nil && settings[generator.SessionKeySetting] != "" {
		return settings[generator.SessionKeySetting]
	}
	return generator.NewSessionKey()
}

// withSessionKey returns env for a handler that is started again and again: where neither env nor
// local.settings.json of the project in dir has a key it gets one, so that sessions outlast a handler.
func withSessionKey(env *Env, dir string) (*Env, error) {
	lookup, err := settingsLookup(env, dir)
	if err != nil {
		return nil, err
	}
	if key, _ := lookup(generator.SessionKeySetting); strings.TrimSpace(key) != "" {
		return env, nil
	}
	with := *env
	with.Environ = append(slices.Clip(env.Environ), generator.SessionKeySetting+"="+generator.NewSessionKey())
	return &with, nil
}
