package cli

import (
	"cmp"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/hint"
	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

func withHint(err error, text string) error { return hint.With(err, text) }

// hintOf returns the hint for err, or nothing when none is known.
func hintOf(err error) string {
	if text := hint.Of(err); text != "" {
		return text
	}
	if c := (*config.Error)(nil); errors.As(err, &c) {
		return c.Hint
	}
	if r := (*pack.RecipeError)(nil); errors.As(err, &r) {
		return r.Hint
	}
	if n := (*nuget.Error)(nil); errors.As(err, &n) {
		return n.Hint
	}
	if e := (*exec.Error)(nil); errors.As(err, &e) && errors.Is(e, exec.ErrNotFound) {
		return installHint(e.Name)
	}
	if broken := (*generator.HostError)(nil); errors.As(err, &broken) {
		return "correct it; or move it away and run mcpfunc generate, with --hosting flex if that was its hosting"
	}
	if errors.Is(err, fs.ErrPermission) && !errors.As(err, new(*exec.Error)) {
		return "check the owner and mode of that file or folder, or use another folder"
	}
	return ""
}

// bare is what the system said of a file whose name is not the user's: a temporary one.
func bare(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// installHint says how to get a program that is not on PATH.
func installHint(program string) string {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(program)), ".exe")
	if name == "go" {
		return "install Go from https://go.dev/dl"
	}
	return cmp.Or(process.Hint(name), "install "+name+" or put its folder on PATH")
}
