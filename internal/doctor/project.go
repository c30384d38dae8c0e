package doctor

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A Project is what there is to look at.
type Project struct {
	Dir      string
	Data     []byte            // mcp_config.json
	File     *config.File      // the same, parsed without a lookup
	Settings map[string]string // Values of local.settings.json
	Environ  []string          // of the user who works on the project: key=value
	Runtime  fs.FS             // the sources that a project of this version carries

	made  generator.Project // what it was made with
	plain bool              // the folder contains only a configuration, and no project around it
}

// Open prepares a Project for its rooms. A folder that holds a configuration and nothing else is one,
// too: there is less to find in it.
func Open(p Project) (*Project, error) {
	made, err := generator.Load(p.Dir)
	if p.plain = errors.Is(err, generator.ErrNoProject); err != nil && !p.plain {
		return nil, err
	}
	p.made = made
	p.made.Config, p.made.ConfigData, p.made.Runtime = p.File, p.Data, p.Runtime
	return &p, nil
}

// path is a file of the project.
func (p *Project) path(name string) string { return filepath.Join(p.Dir, filepath.FromSlash(name)) }

// has reports whether the project holds a file or a folder of that name.
func (p *Project) has(name string) bool {
	_, err := os.Stat(p.path(name))
	return err == nil
}

// appEnviron is the environment that the app gets on this machine: what the environment already has
// wins over local.settings.json, as under "func start".
func (p *Project) appEnviron() []string {
	var environ []string
	for _, name := range slices.Sorted(maps.Keys(p.Settings)) {
		environ = append(environ, name+"="+p.Settings[name])
	}
	return append(environ, p.Environ...)
}

// generated compares the generated files with what the configuration says.
func (p *Project) generated() []Finding {
	const name, hint = "generated files", "mcpfunc generate"
	plan, err := p.made.Plan()
	if err != nil {
		return []Finding{failed(name, "", err)}
	}
	changes, err := plan.Changes(p.Dir, generator.Generate, false)
	if err != nil {
		return []Finding{failed(name, "", err)}
	}
	var all []Finding
	carried := 0
	for _, c := range changes {
		switch {
		case c.Action == generator.Conflict:
			all = append(all, failure(name, `use "mcpfunc generate --force" to overwrite edited files; move links and folders by hand`, "%s: %s", c.Path, c.Why))
		case c.Action == generator.Keep || c.Action == generator.Unchanged:
		case strings.HasPrefix(c.Path, carriedDir):
			carried++
		default:
			all = append(all, failure(name, hint, "%s is not up to date with the configuration: %s", c.Path, c.Action))
		}
	}
	if carried > 0 {
		all = append(all, warning("runtime", hint+", then mcpfunc build", "%s is of a different version than this command: %d files differ", carriedDir, carried))
	}
	return unless(all, okay(name, "up to date with the configuration"))
}

// carriedDir holds the sources of the runtime that a project carries.
const carriedDir = "third_party/mcpfunc/"
