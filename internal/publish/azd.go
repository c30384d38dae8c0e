package publish

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// KeepAZDKey gives the azd environment a new session key unless it has one. azd starts hooks with the values of
// the environment as variables, and finds that environment again when a hook calls it. The key travels in a
// file: every process can read a command line.
func KeepAZDKey(ctx context.Context, streams Streams) (err error) {
	if process.Getenv(streams.Environ, generator.SessionKeySetting) != "" {
		return nil
	}
	azd, err := process.Find(process.Spec{Command: "azd", Env: streams.Environ})
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "mcpfunc-azd-") // readable by its owner only
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = fmt.Fprintf(file, "%s=%s\n", generator.SessionKeySetting, generator.NewSessionKey())
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, azd, "env", "set", "--file", file.Name())
	cmd.Env, cmd.WaitDelay = streams.Environ, patience
	cmd.Stdin, cmd.Stdout, cmd.Stderr = streams.In, streams.Out, streams.Err
	return toolError("azd", cmd.Run())
}

// DeletedVaults returns the names of vaults of the azd environment name that are deleted but not purged: for up to
// 90 days, no new vault can have such a name. It returns none if az is not on PATH or cannot tell.
func DeletedVaults(ctx context.Context, streams Streams, name string) []string {
	if strings.ContainsRune(name, '\'') {
		return nil
	}
	return lookUp(ctx, streams, "keyvault", "list-deleted", "--query", `[?properties.tags."azd-env-name"=='`+name+`'].name`)
}
