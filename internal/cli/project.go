package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/doctor"
)

// configName is the configuration of a project; its handler reads it from its own folder.
const configName = "mcp_config.json"

const hintNoProject = `run "mcpfunc init" to make a project, or name the folder of one`

// bindProject adds --project to a command that works on an existing project.
func bindProject(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "project", ".", "use the project in this `folder`")
}

// projectArg takes the folder of the project from the argument DIR of cmd, which stands for --project.
func projectArg(cmd *cobra.Command, args []string, dir *string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.Flags().Changed("project") {
		return misusef("%q and --project both name a folder", args[0])
	}
	*dir = args[0]
	return nil
}

// readConfig reads the configuration file at path. Its warnings are printed.
func readConfig(env *Env, path string) (*config.File, error) {
	file, err := config.Load(path, nil)
	if err != nil {
		return nil, noProject(path, err)
	}
	warn(env, file.Warnings)
	return file, nil
}

// noProject adds the hint to the error of reading the configuration at path, if the file does not exist.
func noProject(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(path) == configName {
		return withHint(err, hintNoProject)
	}
	return err
}

// warn prints warnings, each on a line, with its hint.
func warn(env *Env, warnings []config.Warning) {
	style := styleFor(env, env.Stderr)
	for _, w := range warnings {
		env.note("%s %s", style.bold("warning:"), oneLine(w.String()))
		if w.Hint != "" {
			env.note("%s %s", style.cyan("hint:"), oneLine(w.Hint))
		}
	}
}

// warnOfServers says which values of file had better not go into a project, as git keeps them there, and
// which servers cannot leave this machine. It is silent about the servers of known, which may be nil.
func warnOfServers(env *Env, file, known *config.File) {
	old := func(name string) bool {
		return known != nil && slices.ContainsFunc(known.Servers, func(s config.Server) bool { return s.Name == name })
	}
	var found []config.Warning
	for _, a := range doctor.Advise(file) {
		if (a.Rule == doctor.RuleSecrets || a.Rule == doctor.RuleDotnet) && !old(a.Server) {
			found = append(found, a.Warning)
		}
	}
	warn(env, found)
}

// An alignment is what brings a project in line with a configuration.
type alignment struct {
	dir     string
	force   bool // carried files that were edited are written over
	plan    *generator.Plan
	changes []generator.Change
	config  *config.File
}

// align plans the generated files of the project in dir for the configuration data, which need not
// be the one on disk yet. Conflicts are an error here already, before anything is written.
func align(env *Env, dir string, data []byte, force bool) (*alignment, error) {
	return alignAs(env, dir, data, force, func(*generator.Project) {})
}

// alignAs is align for a project that as has changed before it is planned.
func alignAs(env *Env, dir string, data []byte, force bool, as func(*generator.Project)) (*alignment, error) {
	file, err := config.Parse(filepath.Join(dir, configName), data, nil)
	if err != nil {
		return nil, err
	}
	warn(env, file.Warnings)
	project, err := generator.Load(dir)
	if errors.Is(err, generator.ErrNoProject) {
		return nil, withHint(fmt.Errorf("%s: %w", dir, err), hintNoProject)
	}
	if err != nil {
		return nil, err
	}
	project.Config, project.ConfigData, project.Runtime = file, data, env.Runtime
	project.SessionKey = generator.NewSessionKey()
	as(&project)
	plan, err := project.Plan()
	if err != nil {
		return nil, err
	}
	changes, err := plan.Changes(dir, generator.Generate, force)
	if err != nil {
		return nil, err
	}
	if conflicts := withAction(changes, generator.Conflict); len(conflicts) > 0 {
		return nil, withHint(&generator.ConflictError{Changes: conflicts},
			`use "mcpfunc generate --force" to overwrite edited files; move links and folders by hand`)
	}
	return &alignment{dir: dir, force: force, plan: plan, changes: changes, config: file}, nil
}

// alignDisk is align for the configuration that is in dir.
func alignDisk(env *Env, dir string, force bool) (*alignment, error) {
	data, err := readProjectConfig(dir)
	if err != nil {
		return nil, err
	}
	return align(env, dir, data, force)
}

// noProjectIn says that dir is no project, and which folder above it is one.
func noProjectIn(dir string) error {
	hint := hintNoProject
	if above := projectAbove(dir); above != "" {
		hint = "it is inside a project: run this in " + above + ", or name that folder"
	}
	return withHint(fmt.Errorf("%s is not a project: it has no %s", dir, configName), hint)
}

// projectAbove returns the nearest folder above dir that is a project, or nothing.
func projectAbove(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	for above := filepath.Dir(abs); above != abs; abs, above = above, filepath.Dir(above) {
		if _, err := os.Stat(filepath.Join(above, configName)); err != nil {
			continue
		}
		if _, err := generator.Load(above); err == nil {
			return above
		}
	}
	return ""
}

// readProjectConfig returns the bytes of the configuration of the project in dir.
func readProjectConfig(dir string) ([]byte, error) {
	data, err := readFile(filepath.Join(dir, configName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noProjectIn(dir)
	}
	return data, err
}

// write brings the generated files in line and returns what was done.
func (a *alignment) write() ([]generator.Change, error) {
	changes, err := a.plan.Write(a.dir, generator.Generate, a.force)
	return pending(changes), err
}

// pending returns the changes that do something.
func pending(changes []generator.Change) []generator.Change {
	return withAction(changes, generator.Create, generator.Update, generator.Remove)
}

func withAction(changes []generator.Change, actions ...generator.Action) []generator.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c generator.Change) bool {
		return !slices.Contains(actions, c.Action)
	})
}
