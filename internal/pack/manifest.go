package pack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os/exec"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// Targets returns the packed servers of the project in opts.Dir, by name, as they are there: those that start
// from what was packed on this machine. Of the options it reads Dir, Servers and Env. temp is where programs
// are made executable.
func Targets(ctx context.Context, opts *Options, temp string) (map[string]Target, error) {
	file, err := packmanifest.Load(opts.Dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !file.Fits() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	python := ""
	if file.Python != "" {
		python = interpreter(ctx, opts.Env, file.Python)
	}
	starter := packmanifest.Starter{File: file, Dir: opts.Dir, Temp: temp, LookPath: exec.LookPath}
	targets := map[string]Target{}
	for _, s := range opts.Servers {
		server, ok := file.Servers[s.Name]
		if !ok || !server.From.Equal(s.Command) {
			continue
		}
		node := ""
		if server.Start.Interpreter == packmanifest.Node && server.Start.Program == "" {
			node = nodeProgram(ctx, opts.Env)
		}
		if server.Start.Interpreter == packmanifest.Python && server.Start.Program == "" && python == "" {
			return nil, refuse("uv python install "+file.Python+" installs it", "Python %s, which server %q is packed for, is not on this machine", file.Python, s.Name)
		}
		targets[s.Name] = Target{
			Name: s.Name, Dir: opts.Dir, Python: python, Node: node, Interpreter: server.Start.Interpreter,
			Launch: func(args []string) (packmanifest.Launch, error) { return starter.Launch(s.Name, s.Command, args) },
		}
	}
	return targets, nil
}

// Source is what a manifest knows a server of the project in dir by, as the app there would start it.
// lookup says what ${NAME} means.
func Source(dir string, written *config.File, name string, lookup func(string) (string, bool)) (manifest.Source, error) {
	s := written.Servers[slices.IndexFunc(written.Servers, func(s config.Server) bool { return s.Name == name })]
	source := manifest.SourceOf(s, written.Variables, func(name string) string {
		value, _ := lookup(name)
		return value
	})
	file, err := packmanifest.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return source, nil
	}
	if err != nil {
		return source, err
	}
	if packed, ok := file.Servers[name]; ok && packed.From.Equal(packmanifest.Command{Command: s.Command, Args: s.Args}) {
		source.Lock, source.Tree = packed.Lock, packed.Tree
	}
	return source, nil
}

// Answerable reports whether an app may answer for a server without a process of it.
func Answerable(s config.Server) bool {
	if s.Manifest != config.ManifestAuto {
		return s.Manifest == config.ManifestShared
	}
	return !s.Auth.ForwardUserToken && len(s.EnvFromHeaders)+len(s.EnvFromClaims) == 0 && (s.Auth.Method == config.AuthNone || s.Auth.Method == config.AuthAzureDefault)
}

// StaleManifest says in what the manifest of the project in dir does not fit its configuration and what is packed, a
// line each. Without a manifest there is nothing to say. It starts nothing.
func StaleManifest(dir string, written *config.File) ([]string, error) {
	file, err := manifest.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return []string{err.Error()}, nil
	}
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	enabled := map[string]bool{}
	for _, s := range written.Enabled() {
		enabled[s.Name] = Answerable(s)
		known, ok := file.Servers[s.Name]
		if !ok || !enabled[s.Name] {
			continue // it may have said something else each time, or not have started
		}
		source, err := Source(dir, written, s.Name, func(string) (string, bool) { return "", false })
		if err != nil {
			return nil, err
		}
		switch is := source.Identity(""); {
		case known.Start != is.Start || !slices.Equal(known.Variables, is.Variables):
			say("server %q: %s is for a different command", s.Name, manifest.Name)
		case !known.Same(is):
			say("server %q: %s is for what was packed before", s.Name, manifest.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(file.Servers)) {
		if !enabled[name] {
			say("server %q is in %s, but its answers depend on its process", name, manifest.Name)
		}
	}
	return found, nil
}
