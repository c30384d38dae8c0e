//go:build chaos

package chaos

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
	"github.com/mcpfunc/mcpfunc/internal/packprobe"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// With the environment variable MCPFUNC_E2E_MANIFEST every handler of the suite answers from a manifest what is
// in one: it serves a project then, with what a test says of it over what is in its file.

// throughManifest writes a project of cfg's servers into dir, with their manifest. They must speak legacy versions.
func throughManifest(ctx context.Context, dir string, cfg mcpfunc.Config) error {
	servers := map[string]any{}
	for _, s := range cfg.Servers {
		servers[s.Name] = map[string]any{"command": s.Command, "args": s.Args, "env": s.Env, "era": "legacy"}
	}
	text, err := json.Marshal(map[string]any{"mcpServers": servers})
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "mcp_config.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	file, err := config.Load(path, nil)
	if err != nil {
		return err
	}
	prober := packprobe.Prober{Environ: os.Environ(), Resolve: func() (*config.File, error) { return file, nil }}
	entries := map[string]packprobe.Entry{}
	for _, s := range file.Servers {
		answers, err := prober.RecordWritten(ctx, dir, s.Name)
		if err != nil {
			return err
		}
		entries[s.Name] = packprobe.Entry{Identity: manifest.SourceOf(s, nil, os.Getenv).Identity(""), Recorded: answers}
	}
	data, err := packprobe.Encode(entries)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, manifest.Name), data, 0o600)
}

// recordPacked writes the manifest of the project in dir, whose server is packed.
func recordPacked(ctx context.Context, dir, server string, command packmanifest.Command) error {
	path := filepath.Join(dir, "mcp_config.json")
	written, err := config.Load(path, nil)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp(dir, "temp")
	if err != nil {
		return err
	}
	targets, err := pack.Targets(ctx, &pack.Options{Dir: dir, Servers: []pack.Server{{Name: server, Command: command}}, Env: os.Environ()}, temp)
	if err != nil {
		return err
	}
	prober := packprobe.Prober{Environ: os.Environ(), Resolve: func() (*config.File, error) { return written, nil }}
	answers, err := prober.Record(ctx, targets[server])
	if err != nil {
		return err
	}
	source, err := pack.Source(dir, written, server, os.LookupEnv)
	if err != nil {
		return err
	}
	data, err := packprobe.Encode(map[string]packprobe.Entry{server: {Identity: source.Identity(""), Recorded: answers}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, manifest.Name), data, 0o600)
}

// loadProject reads what throughManifest has written, and sets over it what cfg says.
func loadProject(dir string, cfg mcpfunc.Config) (*mcpfunc.Config, error) {
	loaded, err := mcpfunc.LoadConfig(filepath.Join(dir, "mcp_config.json"))
	if err != nil {
		return nil, err
	}
	for i := range loaded.Servers {
		for _, s := range cfg.Servers {
			if s.Name == loaded.Servers[i].Name {
				override(&loaded.Servers[i], s)
			}
		}
	}
	servers := loaded.Servers
	override(loaded, cfg)
	loaded.Servers = servers
	return loaded, nil
}

// override sets the exported fields of to that are not zero in from.
func override[T any](to *T, from T) {
	into, of := reflect.ValueOf(to).Elem(), reflect.ValueOf(from)
	for i := range of.NumField() {
		if of.Type().Field(i).IsExported() && !of.Field(i).IsZero() {
			into.Field(i).Set(of.Field(i))
		}
	}
}
