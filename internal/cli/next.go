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
		return "Next: this folder is a project: run mcpfunc dev to serve it, or mcpfunc doctor to check it."
	}
	if above := projectAbove(dir); above != "" {
		return "Next: " + above + " is a project: " + commandLine("mcpfunc", []string{"dev", above}) + " serves it."
	}
	path, err := config.Discover(dir, home)
	if errors.Is(err, fs.ErrNotExist) {
		return "Next: run mcpfunc demo to see everything at once, or mcpfunc init myapp -- COMMAND ARGS... to make a project for your server."
	}
	if err != nil {
		return fmt.Sprintf("Next: correct the configuration (%s), then run mcpfunc init myapp", oneLine(err.Error()))
	}
	return "Next: run mcpfunc init myapp to make a project for the servers in " + filepath.Clean(path) + "."
}
