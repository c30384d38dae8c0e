package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
	"github.com/mcpfunc/mcpfunc/internal/terminal"
)

// prepare brings a project in line with its configuration, checks that its variables are set here,
// and compiles its handler for this machine, with the page of dev.
func prepare(ctx context.Context, env *Env, dir string) (*config.File, error) {
	a, err := alignDisk(env, dir, false)
	if err != nil {
		return nil, err
	}
	if _, err := resolveConfig(env, dir); err != nil {
		return nil, err
	}
	changes, err := a.write()
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		env.note("%s %s", c.Action, c.Path)
	}
	warnMissing(env, dir, a.config)
	build := goBuild{Dir: dir, Page: true, Env: env.Environ, Output: env.Stderr}
	env.debug("go build in %s", dir)
	err = env.duringProgress("building the handler", func(p *progress) error {
		build.Doing = p.doing
		_, err := build.run(ctx)
		return err
	})
	return a.config, err
}

// warnMissing warns of commands that are not here and that nothing packed stands in for. The other servers
// work without them.
func warnMissing(env *Env, dir string, file *config.File) {
	style := styleFor(env, env.Stderr)
	from, err := packmanifest.Load(dir)
	for _, s := range file.Enabled() {
		if err == nil && from.Complete(s.Name, packmanifest.Command{Command: s.Command, Args: s.Args}) {
			continue
		}
		if _, err := exec.LookPath(s.Command); errors.Is(err, exec.ErrNotFound) {
			env.note("%s server %q: %s is not on PATH", style.bold("warning:"), s.Name, s.Command)
			env.note("%s%s", style.cyan("hint: "), installHint(s.Command))
		}
	}
}

// serve starts the built-in host on 127.0.0.1:port (zero: any free one) and waits until the handler
// answers. What the two of them say goes to log. public is how clients know the host, if not by itself.
func serve(ctx context.Context, env *Env, dir string, port int, public string, log io.Writer) (*hostemu.Host, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, withHint(fmt.Errorf("port %d is in use", port), "another mcpfunc dev or func start may be running; choose another port with --port")
	}
	if err != nil {
		return nil, err
	}
	prefix := styleFor(env, log).dim("host:")
	host, err := hostemu.Start(ctx, hostemu.Options{
		Dir:      dir,
		Listener: listener,
		Env:      env.Environ,
		Public:   public,
		Local:    true,
		Output:   log,
		Logf: func(format string, args ...any) {
			if text := fmt.Sprintf(format, args...); log == env.Stderr {
				env.complain("%s %s", prefix, text)
			} else {
				fmt.Fprintf(log, "host: %s\n", terminal.Text(text))
			}
		},
	})
	if err != nil {
		return nil, err // the listener, which the host owns, is closed
	}
	err = env.during("starting the handler", func() error { return host.Ready(ctx) })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the handler: %w", err), host.Close())
	}
	return host, nil
}

// endpointURL is where the host serves a server.
func endpointURL(host *hostemu.Host, server string) string { return host.URL() + serverPath(server) }

// A servedServer is a server that answers here.
type servedServer struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// showEndpoints prints a line for each server on standard output, or a list of objects, and on
// standard error how to reach the first of them.
func showEndpoints(env *Env, host *hostemu.Host, file *config.File, asJSON bool) error {
	var served []servedServer
	for _, s := range file.Enabled() {
		served = append(served, servedServer{s.Name, endpointURL(host, s.Name)})
	}
	if asJSON {
		return printJSON(env.Stdout, served)
	}
	for _, s := range served {
		if _, err := fmt.Fprintf(env.Stdout, "%s\t%s\n", s.Name, s.URL); err != nil {
			return err
		}
	}
	first, _ := file.Default()
	url := endpointURL(host, first.Name)
	style := styleFor(env, env.Stderr)
	token := ""
	if first.Auth.Method == config.AuthAzureOBO || first.Auth.Method == config.AuthOAuth2Bearer {
		token = ` -H "Authorization: Bearer $TOKEN"`
	}
	env.note("\n%s", style.bold("Try it:"))
	env.note(`  curl %s -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream'%s -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'`, url, token)
	env.note("%s", style.bold("In VS Code, .vscode/mcp.json:"))
	env.note(`  {"servers": {%q: {"type": "http", "url": %q}}}`+"\n", first.Name, url)
	return nil
}
