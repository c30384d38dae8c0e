package process

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Find returns the file that spec.Command names: with a slash a path, relative to the child's
// directory, else the first executable on the child's PATH, not on the app's.
func Find(spec Spec) (string, error) {
	name := spec.Command
	if strings.ContainsRune(name, '/') || filepath.Base(name) != name {
		if !filepath.IsAbs(name) {
			name = filepath.Join(spec.Dir, name)
		}
		abs, err := filepath.Abs(name)
		if err != nil {
			return "", &CommandError{Command: spec.Command, Err: err}
		}
		if err := runnable(abs); err != nil {
			return "", &CommandError{Command: spec.Command, Err: err}
		}
		return abs, nil
	}
	for _, dir := range filepath.SplitList(Getenv(spec.Env, "PATH")) {
		if dir == "" || !filepath.IsAbs(dir) {
			continue // the working directory is no place to look for programs
		}
		for _, ext := range extensions(spec.Env) {
			path := filepath.Join(dir, name+ext)
			if runnable(path) == nil {
				return path, nil
			}
		}
	}
	return "", &CommandError{Command: name, Err: exec.ErrNotFound, Hint: Hint(name)}
}

func runnable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = pe.Err
		}
		return err
	case info.IsDir():
		return errors.New("is a directory")
	case runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return fs.ErrPermission
	}
	return nil
}

func extensions(env []string) []string {
	if runtime.GOOS != "windows" {
		return []string{""}
	}
	ext := cmp.Or(Getenv(env, "PATHEXT"), ".com;.exe;.bat;.cmd")
	return append([]string{""}, strings.Split(ext, ";")...)
}

// Hint says how to get a program that many servers are started by, or "".
func Hint(command string) string {
	switch strings.TrimSuffix(filepath.Base(command), ".exe") {
	case "uvx", "uv":
		return "install uv, which includes uvx: https://docs.astral.sh/uv/getting-started/installation/"
	case "npx", "npm", "node":
		return "install Node.js, which includes npx: https://nodejs.org/en/download"
	case "python", "python3":
		return "install Python: https://www.python.org/downloads/"
	case "dnx", "dotnet":
		return "run mcpfunc pack, which does not need .NET, or install the .NET 10 SDK, which includes dnx: https://dotnet.microsoft.com/download"
	case "docker":
		return "install Docker, or choose a server that runs without it: Azure Functions does not have it"
	}
	return ""
}

// Getenv returns the last value of name in env, a list of key=value.
func Getenv(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(env[i], "="); ok && key == name {
			return value
		}
	}
	return ""
}
