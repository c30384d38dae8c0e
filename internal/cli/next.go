package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// whatNext says what a person in dir would do next, in one line.
func whatNext(dir, home string) string {
	if _, err := generator.Load(dir); err == nil {
		return "Next: this folder is a project: mcpfunc dev serves it, mcpfunc doctor checks it."
	}
	if above := projectAbove(dir); above != "" {
		return "Next: " + above + " is a project: " + commandLine("mcpfunc", []string{"dev", above}) + " serves it."
	}
	path, err := config.Discover(dir, home)
	if errors.Is(err, fs.ErrNotExist) {
		return "Next: mcpfunc demo shows everything at once; mcpfunc init myapp -- COMMAND ARGS... makes a project of your server."
	}
	if err != nil {
		return fmt.Sprintf("Next: correct what is wrong with the configuration (%s), then: mcpfunc init myapp", oneLine(err.Error()))
	}
	return "Next: mcpfunc init myapp makes a project of the servers in " + filepath.Clean(path) + "."
}
