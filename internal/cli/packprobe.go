package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
	"github.com/mcpfunc/mcpfunc/internal/process"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// A prober starts packed servers as the app would on Azure: by the runtime, with an environment that
// holds the interpreter and what the configuration sets, and nothing of this machine.
type prober struct {
	env  *Env
	dir  string       // the project
	file *config.File // with every ${NAME} replaced; nil until it is needed
}

// probe starts one server and returns its tools.
func (p *prober) probe(ctx context.Context, target pack.Target) ([]pack.Tool, error) {
	server, err := p.server(target)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 2*server.StartTimeout, fmt.Errorf("no answer within %s", 2*server.StartTimeout))
	defer cancel()
	said := newLastWords(server.Env)
	app, err := mcpfunc.New(&mcpfunc.Config{Servers: []mcpfunc.Server{server}}, &mcpfunc.Options{
		Logger: slog.New(slog.DiscardHandler), Grace: time.Second, Drain: time.Second, Launcher: said,
	})
	if err != nil {
		return nil, err
	}
	defer app.Close()
	tools, err := listTools(ctx, p.env, app, server.Name)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, withHint(said.explain(err), "--no-probe packs without starting the servers; values that they need belong into local.settings.json")
	}
	return tools, nil
}

// server returns the server as the app would start it.
func (p *prober) server(target pack.Target) (mcpfunc.Server, error) {
	if p.file == nil {
		file, err := resolveConfig(p.env, p.dir)
		if err != nil {
			return mcpfunc.Server{}, withHint(err, "set it in local.settings.json, or pack with --no-probe")
		}
		p.file = file
	}
	i := slices.IndexFunc(p.file.Servers, func(s config.Server) bool { return s.Name == target.Name })
	s := p.file.Servers[i]
	launch, err := target.Launch(s.Args)
	if err != nil {
		return mcpfunc.Server{}, err
	}
	if target.Interpreter == packmanifest.Python {
		launch.Command = target.Python
	}
	if launch.Command == packmanifest.Node && target.Node != "" {
		launch.Command = target.Node
	}
	program, err := process.Find(process.Spec{Command: launch.Command, Env: p.env.Environ})
	if err != nil {
		return mcpfunc.Server{}, err
	}
	env := map[string]string{"PATH": filepath.Dir(program)}
	if s.EnvFile != "" {
		vars, err := config.LoadEnvFile(s.EnvFile)
		if err != nil {
			return mcpfunc.Server{}, err
		}
		for name, value := range vars {
			env[name] = value
		}
	}
	for name, value := range s.Env {
		env[name] = value
	}
	dir := s.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(target.Dir, dir)
	}
	return mcpfunc.Server{
		Name: s.Name, Command: program, Args: launch.Args, Env: env, Dir: dir,
		StartTimeout: s.Timeout, Framing: mcpfunc.Framing(s.Framing), Era: mcpfunc.Era(s.Era), NoRestart: true,
	}, nil
}

// listTools asks a server of app for its tools, over HTTP as every client does.
func listTools(ctx context.Context, env *Env, app http.Handler, name string) ([]pack.Tool, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: app, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // it ends with Close
	}()
	defer func() {
		server.Close()
		<-served
	}()
	session, err := newClient(env, new(heard)).Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: "http://" + listener.Addr().String() + serverPath(name), MaxRetries: -1,
	}, nil)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	if init := session.InitializeResult(); init != nil && init.Capabilities != nil && init.Capabilities.Tools == nil {
		return nil, nil
	}
	all, err := allTools(ctx, session)
	if err != nil {
		return nil, err
	}
	tools := []pack.Tool{}
	for _, t := range all {
		rest := *t
		rest.Name, rest.Description = "", ""
		data, err := json.Marshal(rest)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		tools = append(tools, pack.Tool{Name: t.Name, Description: t.Description, Digest: hex.EncodeToString(sum[:])})
	}
	return tools, nil
}

// lastWords is a launcher whose processes see nothing of this machine, and that keeps the end of what
// they complain of.
type lastWords struct {
	hide *strings.Replacer // takes secrets of the configuration out

	mu   sync.Mutex
	text []byte
}

// newLastWords returns one for a server with this environment.
func newLastWords(env map[string]string) *lastWords {
	var pairs []string
	for name, value := range env {
		if authenv.SoundsSecret(name) && value != "" {
			pairs = append(pairs, value, "[redacted]")
		}
	}
	return &lastWords{hide: strings.NewReplacer(pairs...)}
}

const lastWordsBytes = 2 << 10

// Launch implements mcpfunc.Launcher.
func (l *lastWords) Launch(ctx context.Context, s mcpfunc.Server, _ []string) (mcpfunc.Process, error) {
	p, err := mcpfunc.ExecLauncher{}.Launch(ctx, s, authenv.Join([]string{"HOME=" + os.TempDir()}, s.Env))
	if err != nil {
		return nil, err
	}
	return &overheard{Process: p, words: l}, nil
}

// explain adds to err what the processes complained of last.
func (l *lastWords) explain(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.hide.Replace(string(l.text))
	if text = strings.TrimSpace(text[max(0, len(text)-lastWordsBytes):]); text != "" {
		return fmt.Errorf("%w; it said: %s", err, text)
	}
	return err
}

// Write keeps the end of p, and as much before it, so that no secret is cut before it is known.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-2*lastWordsBytes):]
	return len(p), nil
}

// overheard is a process whose stderr goes to words too.
type overheard struct {
	mcpfunc.Process
	words *lastWords
}

// Stderr returns the process's stderr; ExecLauncher's have one.
func (o *overheard) Stderr() io.Reader {
	return io.TeeReader(o.Process.(process.Complainer).Stderr(), o.words)
}
