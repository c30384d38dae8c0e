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
		return nil, t.explain(err, said)
	}
	return out, nil
}

// nodeProgram returns the Node that the one on the PATH of env is or leads to, or "" without one: as
// with interpreter, a version manager's script needs more than a packed server's environment has.
func nodeProgram(ctx context.Context, env []string) string {
	path, err := process.Find(process.Spec{Command: "node", Env: env})
	if err != nil {
		return ""
	}
	cmd := exec.CommandContext(ctx, path, "-p", "process.execPath")
	cmd.Env, cmd.WaitDelay = env, toolPatience
	out, err := cmd.Output()
	if found := strings.TrimSpace(string(out)); err == nil && filepath.IsAbs(found) {
		return found
	}
	return ""
}

// interpreter returns the Python of that version which a program on the PATH of env is or leads to, or
// "" without one. uv, if installed, knows more of them than PATH.
func interpreter(ctx context.Context, env []string, version string) string {
	// What is on PATH may be a script of pyenv or asdf that needs more than a packed server's environment
	// has; the interpreter itself says where it is.
	leadsTo := func(path string) string {
		cmd := exec.CommandContext(ctx, path, "-c", "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)")
		cmd.Env, cmd.WaitDelay = env, toolPatience
		out, err := cmd.Output()
		is, executable, _ := strings.Cut(strings.ReplaceAll(string(out), "\r\n", "\n"), "\n")
		executable = strings.TrimSuffix(executable, "\n")
		if err != nil || is != version || !filepath.IsAbs(executable) {
			return ""
		}
		return executable
	}
	for _, name := range []string{"python" + version, "python3", "python"} {
		if path, err := process.Find(process.Spec{Command: name, Env: env}); err == nil {
			if found := leadsTo(path); found != "" {
				return found
			}
		}
	}
	uv, err := findTool("uv", env, "UV_PYTHON_DOWNLOADS=never")
	if err != nil {
		return ""
	}
	out, err := uv.run(ctx, os.TempDir(), "python", "find", "--no-project", version)
	path := strings.TrimSpace(string(out))
	if err != nil || !filepath.IsAbs(path) {
		return ""
	}
	return leadsTo(path)
}
