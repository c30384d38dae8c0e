// Package packprobe starts packed servers as the app would on Azure: with the runtime, and an environment
// that holds the interpreter and what the configuration sets, and nothing of this machine. It is not
// part of package pack, which knows a server by its command and no runtime.
package packprobe

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
	"github.com/mcpfunc/mcpfunc/internal/process"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// A Prober asks the packed servers of one project for their tools. It is for one goroutine.
type Prober struct {
	Environ []string                     // key=value: its PATH is where programs are looked for
	Resolve func() (*config.File, error) // reads the project's configuration with every ${NAME} replaced; called once, when it is needed
	Client  *mcp.Client                  // asks for the tools

	file *config.File
}

// Probe starts one server from what was packed, over HTTP and stdio as the app would, and returns its
// tools. The server gets twice its start timeout. An error holds the end of the server's stderr, without
// the secrets of its configuration.
func (p *Prober) Probe(ctx context.Context, target pack.Target) ([]pack.Tool, error) {
	server, flags, err := p.server(target)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 2*server.StartTimeout, fmt.Errorf("%w within %s", errLate, 2*server.StartTimeout))
	defer cancel()
	said := newLastWords(server.Env, server.Args, target.Dir)
	if target.Fork != nil {
		said.trial = &forkTrial{flags: flags, modules: target.Fork.Modules, found: func(reads, random []string) { target.Fork.Reads, target.Fork.Random = reads, random }}
		defer said.trial.close()
	} else if target.Imported != nil {
		server.Args = slices.Insert(slices.Clone(server.Args), flags, verbose...)
		said.imports = &importList{modules: target.Imported}
	}
	app, err := mcpfunc.New(&mcpfunc.Config{Servers: []mcpfunc.Server{server}}, &mcpfunc.Options{
		Logger: slog.New(slog.DiscardHandler), Grace: time.Second, Drain: time.Second, Launcher: said,
	})
	if err != nil {
		return nil, err
	}
	defer app.Close()
	tools, err := p.list(ctx, app, server.Name)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, said.explain(err, target)
	}
	return tools, nil
}

// server returns the server as the app would start it, and how many of its arguments are flags of an interpreter.
func (p *Prober) server(target pack.Target) (_ mcpfunc.Server, flags int, err error) {
	if err := p.resolve(); err != nil {
		return mcpfunc.Server{}, 0, err
	}
	i := slices.IndexFunc(p.file.Servers, func(s config.Server) bool { return s.Name == target.Name })
	s := p.file.Servers[i]
	launch, err := target.Launch(s.Args)
	if err != nil {
		return mcpfunc.Server{}, 0, err
	}
	if target.Interpreter == packmanifest.Python {
		launch.Command = target.Python
	}
	if launch.Command == packmanifest.Node && target.Node != "" {
		launch.Command = target.Node
	}
	program, err := process.Find(process.Spec{Command: launch.Command, Env: p.Environ})
	if err != nil {
		return mcpfunc.Server{}, 0, err
	}
	env := map[string]string{"PATH": stackPath(program)}
	maps.Copy(env, launch.Env)
	if s.EnvFile != "" {
		vars, err := config.LoadEnvFile(s.EnvFile)
		if err != nil {
			return mcpfunc.Server{}, 0, err
		}
		for name, value := range vars {
			env[name] = value
		}
	}
	for name, value := range s.Env {
		env[name] = value
	}
	for _, vars := range []map[string]string{s.EnvFromHeaders, s.EnvFromClaims} { // who packs is the caller
		for name := range vars {
			if value, ok := lookup(p.Environ, name); ok {
				env[name] = value
			}
		}
	}
	dir := s.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(target.Dir, dir)
	}
	return mcpfunc.Server{
		Name: s.Name, Command: program, Args: launch.Args, Env: env, Dir: dir,
		StartTimeout: s.Timeout, Framing: string(s.Framing), Era: string(s.Era), MaxRestarts: -1, Sandbox: sandbox(s.Sandbox, dir),
	}, launch.Flags, nil
}

// sandbox is what of a server's sandbox there is on the machine that packs: it may have another kernel than the app's,
// and not its folders.
func sandbox(s config.Sandbox, dir string) mcpfunc.Sandbox {
	box := mcpfunc.Sandbox{NoNetwork: s.NoNetwork, Ports: s.Ports, ReadOnly: s.ReadOnly, Optional: true}
	for _, folder := range s.Write {
		path := folder
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			box.Write = append(box.Write, folder)
		}
	}
	return box
}

// lookup returns a variable of environ.
func lookup(environ []string, name string) (value string, ok bool) {
	for _, entry := range environ {
		if v, is := strings.CutPrefix(entry, name+"="); is {
			value, ok = v, true
		}
	}
	return value, ok
}

// stackPath is the PATH that an app's stack has: that of its interpreter, and the system's folders. Servers
// run git or a shell from there.
func stackPath(program string) string {
	return filepath.Dir(program) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

// list asks a server of app for its tools, over HTTP as every client does.
func (p *Prober) list(ctx context.Context, app http.Handler, name string) ([]pack.Tool, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: app, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(socket) // it ends with Close
	}()
	defer func() {
		server.Close()
		<-served
	}()
	endpoint := "http://" + socket.Addr().String() + "/api/mcp/" + name
	session, err := p.Client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: endpoint, MaxRetries: -1}, nil)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	if init := session.InitializeResult(); init != nil && init.Capabilities != nil && init.Capabilities.Tools == nil {
		return nil, nil
	}
	for _, err := range session.Tools(ctx, nil) {
		if err != nil {
			return nil, err // of an official client, which reads strictly
		}
	}
	l := &listener{url: endpoint, session: session.ID()}
	if init := session.InitializeResult(); init != nil {
		l.version = init.ProtocolVersion
	}
	return l.tools(ctx)
}
