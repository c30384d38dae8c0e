package mcpfunc

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A Sandbox limits what a server's process, and everything that it starts, may reach. The zero value limits
// nothing. ExecLauncher enforces it, on Linux only. If the kernel cannot enforce a part, New returns an error,
// unless Optional is set.
type Sandbox struct {
	// NoNetwork forbids all sockets, except TCP connections to Ports. If 53 is one of them, names are resolved
	// over TCP (RES_OPTIONS=use-vc, which the GNU C library reads). The port where a process gets tokens is
	// always allowed.
	NoNetwork bool
	Ports     []int // 1 to 65535

	// ReadOnly forbids changes to files, except below the folders in Write, which must exist, and in a HOME and
	// a TMPDIR of the process's own, which are created when it starts and removed when it has ended.
	ReadOnly bool
	Write    []string // relative to Server.Dir

	Optional bool // skip what the kernel cannot enforce, and log it
}

// own is the sandbox as a process gets it, with its environment.
func (s Server) own(env []string) (process.Sandbox, []string) {
	box := process.Sandbox{NoNetwork: s.Sandbox.NoNetwork, ReadOnly: s.Sandbox.ReadOnly, Optional: s.Sandbox.Optional, Report: s.refused}
	for _, port := range s.Sandbox.Ports {
		box.Ports = append(box.Ports, uint16(port))
	}
	if box.NoNetwork && slices.Contains(box.Ports, 53) && process.Getenv(env, "RES_OPTIONS") == "" {
		env = append(slices.Clip(env), "RES_OPTIONS=use-vc")
	}
	if box.ReadOnly {
		for _, dir := range s.Sandbox.Write {
			if !filepath.IsAbs(dir) {
				dir = filepath.Join(s.Dir, dir)
			}
			if abs, err := filepath.Abs(dir); err == nil {
				dir = abs
			}
			box.Write = append(box.Write, dir)
		}
		box.Env = func(home, temp string) []string { return authenv.AtHome(env, s.Env, home, temp) }
	}
	return box, env
}

// checkSandbox says why a server's sandbox cannot be kept up here, or logs what of it is left out.
func (a *App) checkSandbox(spec Server) error {
	fault := func(key, hint string, err error) error {
		return a.withoutValues(spec, &ConfigError{Key: "sandbox." + key, Err: err, Hint: hint})
	}
	for _, port := range spec.Sandbox.Ports {
		if port < 1 || port > 65535 {
			return fault(process.SandboxNetwork, "", fmt.Errorf("invalid port %d: want 1 to 65535", port))
		}
	}
	box, _ := spec.own(nil)
	for i, dir := range box.Write {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return fault(process.SandboxWrite, "create it before the app starts", fmt.Errorf("%s is not a folder", spec.Sandbox.Write[i]))
		}
	}
	if method := spec.method.Method; box.NoNetwork && (method == config.AuthAzureOBO || method == config.AuthAzureDefault) {
		box.Ports = append(box.Ports, 1) // that of the broker will be one
	}
	for _, err := range box.Check() {
		e, _ := errors.AsType[*process.SandboxError](err)
		if !box.Optional {
			return fault(e.Key, e.Hint, errors.New(e.Text))
		}
		a.log.Warn("server runs without part of its sandbox", "server", spec.Name, "key", "sandbox."+e.Key, "error", e.Text)
	}
	return nil
}

// withBroker is s with the port at which its process may ask for tokens, if it may.
func (s Server) withBroker(granted map[string]string) Server {
	endpoint, err := url.Parse(granted["IDENTITY_ENDPOINT"])
	if err != nil || !s.Sandbox.NoNetwork {
		return s
	}
	if port, err := strconv.Atoi(endpoint.Port()); err == nil && endpoint.Hostname() == "127.0.0.1" {
		s.Sandbox.Ports = append(slices.Clip(s.Sandbox.Ports), port)
	}
	return s
}
