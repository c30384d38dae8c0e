package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/mcpfunc/mcpfunc/generator"
)

// The ways in which a project gets the runtime.
const (
	runtimeCopy   = "copy"
	runtimeModule = "module"
)

// releasedVersion is a version that the module proxy serves under that name: neither a commit nor a
// build with changes of its own.
var releasedVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[a-z]+\.?\d*)?$`)

// runtimeVersion returns the version of the runtime that a project made this way requires: none where
// it has a copy, else that of this command.
func runtimeVersion(way string) (string, error) {
	if way != runtimeModule {
		return "", nil
	}
	version := buildVersion()
	if !releasedVersion.MatchString(version) {
		return "", withHint(fmt.Errorf("--runtime module needs a released version of mcpfunc, but this is version %q", version),
			"use --runtime copy, or install a release: go install github.com/mcpfunc/mcpfunc/cmd/mcpfunc@latest")
	}
	return version, nil
}

// tidyModule completes go.mod and go.sum of a plan by "go mod tidy". It runs in a folder of its own, so
// that a module proxy that cannot be reached leaves no half of a project behind.
func tidyModule(ctx context.Context, plan *generator.Plan) error {
	dir, err := os.MkdirTemp("", "mcpfunc-module-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files := map[string]*generator.File{"main.go": nil, "go.mod": nil, "go.sum": nil}
	for i := range plan.Files {
		name := plan.Files[i].Path
		if _, needed := files[name]; !needed {
			continue
		}
		files[name] = &plan.Files[i]
		if err := os.WriteFile(filepath.Join(dir, name), plan.Files[i].Data, 0o600); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "tidy")
	cmd.Dir = dir
	cmd.Env = append(slices.Clip(os.Environ()), "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return withHint(fmt.Errorf("resolve the module of the runtime: go mod tidy: %w: %s", err, oneLine(string(bytes.TrimSpace(out)))),
			"check that the module proxy can be reached (go env GOPROXY), or use --runtime copy")
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if files[name].Data, err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
