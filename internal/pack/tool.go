package pack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/process"
)

// toolPatience is how long the outputs of a tool that was stopped are waited for.
const toolPatience = 5 * time.Second

// A tool is a package manager that is run while packing.
type tool struct {
	name string
	path string
	env  []string
}

// findTool looks for a program on the PATH of env.
func findTool(name string, env []string, extra ...string) (*tool, error) {
	path, err := process.Find(process.Spec{Command: name, Env: env})
	if err != nil {
		return nil, fmt.Errorf("%w", &exec.Error{Name: name, Err: exec.ErrNotFound})
	}
	return &tool{name, path, append(env[:len(env):len(env)], extra...)}, nil
}

// run runs the tool in dir and returns its stdout. What it says of a failure is in the error.
func (t *tool) run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, t.path, args...)
	cmd.Dir, cmd.Env = dir, t.env
	cmd.WaitDelay = toolPatience // what it has started may hold its outputs open
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		said := strings.TrimSpace(stderr.String())
		if said == "" {
			said = strings.TrimSpace(string(out))
		}
		return nil, fmt.Errorf("%s: %w: %s", t.name, err, lastLines(said, 12))
	}
	return out, nil
}

// lastLines returns the last n lines of a text: what went wrong is said last.
func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

// interpreter returns a program on the PATH of env that is the Python of that version, or "" if
// there is none. uv, where it is there, knows more of them than PATH.
func interpreter(ctx context.Context, env []string, version string) string {
	is := func(path string) bool {
		cmd := exec.CommandContext(ctx, path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
		cmd.Env, cmd.WaitDelay = env, toolPatience
		out, err := cmd.Output()
		return err == nil && strings.TrimSpace(string(out)) == version
	}
	for _, name := range []string{"python" + version, "python3", "python"} {
		if path, err := process.Find(process.Spec{Command: name, Env: env}); err == nil && is(path) {
			return path
		}
	}
	uv, err := findTool("uv", env, "UV_PYTHON_DOWNLOADS=never")
	if err != nil {
		return ""
	}
	out, err := uv.run(ctx, os.TempDir(), "python", "find", "--no-project", version)
	path := strings.TrimSpace(string(out))
	if err != nil || !filepath.IsAbs(path) || !is(path) {
		return ""
	}
	return path
}
