package mcpfunc

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/session"
)

// loadManifest reads what servers were found to answer when the app was built: see internal/manifest. Without
// it, or with one that cannot be understood, every answer comes from a process.
func (c *Config) loadManifest(dir string, written *config.File) {
	file, err := manifest.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		c.notices = append(c.notices, notice{"manifest cannot be read: every list needs a process", []any{"error", err, "hint", "run mcpfunc pack or mcpfunc manifest again"}})
		return
	}
	c.manifest = file
	for i := range c.Servers {
		s := &c.Servers[i]
		j := slices.IndexFunc(written.Servers, func(w config.Server) bool { return w.Name == s.Name })
		if s.fault != nil || j < 0 {
			continue
		}
		s.source = manifest.SourceOf(written.Servers[j], s.variables, os.Getenv)
		s.source.Lock, s.source.Tree = s.lock, s.tree
		if _, known := file.Servers[s.Name]; known && s.manifest != config.ManifestOff && !file.Servers[s.Name].Same(s.source.Identity("")) {
			c.notices = append(c.notices, notice{"manifest ignored: it was recorded from another server of this name", []any{"server", s.Name, "hint", "run mcpfunc pack or mcpfunc manifest again"}})
		}
	}
}

// connectKnown lets s be answered for from what it is known to answer, where any caller would be answered the
// same.
func (a *App) connectKnown(s *server) {
	spec := s.spec
	if a.cfg.manifest == nil || spec.manifest == config.ManifestOff || a.perCaller(spec) && spec.manifest != config.ManifestShared {
		return
	}
	_, usual := a.opts.Launcher.(ExecLauncher)
	known := a.cfg.manifest.Known(spec.Name, spec.source, strings.Split(a.cfg.sessionKeys, ","), !usual, a.log, a.budget)
	if known == nil {
		return
	}
	s.endpoint.Server.Known = func(initialize *message.Message) session.Talk {
		if talk := known.Talk(initialize); talk != nil {
			return talk
		}
		return nil
	}
	s.endpoint.Pool.Known = manifest.Stateless{Known: known}
}

// perCaller reports whether the processes of a server hold something of their callers.
func (a *App) perCaller(spec Server) bool {
	return a.verifies(spec) || spec.method.ForwardUserToken || spec.personal()
}
