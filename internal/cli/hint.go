package cli

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/pack"
)

// A hinted error carries its cure.
type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

func withHint(err error, hint string) error { return &hinted{err, hint} }

// hintOf returns the cure for err, or nothing when none is known.
func hintOf(err error) string {
	if h := (*hinted)(nil); errors.As(err, &h) {
		return h.hint
	}
	if c := (*config.Error)(nil); errors.As(err, &c) {
		return c.Hint
	}
	if r := (*pack.RecipeError)(nil); errors.As(err, &r) {
		return r.Hint
	}
	if e := (*exec.Error)(nil); errors.As(err, &e) && errors.Is(e, exec.ErrNotFound) {
		return installHint(e.Name)
	}
	return ""
}

// installHint says how to get a program that is not on PATH.
func installHint(program string) string {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(program)), ".exe")
	switch name {
	case "go":
		return "install Go from https://go.dev/dl"
	case "uvx", "uv":
		return "uvx comes with uv: curl -LsSf https://astral.sh/uv/install.sh | sh (https://docs.astral.sh/uv)"
	case "npx", "npm", "node":
		return "npx comes with Node.js: https://nodejs.org/en/download"
	case "python", "python3":
		return "install Python from https://www.python.org/downloads"
	case "docker":
		return "install Docker from https://docs.docker.com/get-started/get-docker"
	default:
		return "install " + name + " or put its folder on PATH"
	}
}
