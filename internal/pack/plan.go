package pack

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A plan is what one server asks for, in this project: its recipe, with the files that it names
// found. Nothing is resolved yet, so the same project gives the same plan without a network.
type plan struct {
	name   string
	from   packmanifest.Command
	dir    string // the server's folder, relative to the project
	recipe *Recipe
	locked Locked // what the lock must say for it to stand

	script  string   // of the project, slash-separated in it
	files   []string // that say what a Python script needs; absolute
	appDir  string   // the folder of a Node script that has a package.json, relative to the project
	program string   // the file of a program; absolute
}

// hasPackages reports whether something is to be installed for a Python server.
func (p *plan) hasPackages() bool { return len(p.recipe.Requires)+len(p.files) > 0 }

// asked names what is resolved, for a person.
func (p *plan) asked() string {
	if len(p.recipe.Requires) > 0 {
		return strings.Join(p.recipe.Requires, ", ")
	}
	var names []string
	for _, f := range p.files {
		names = append(names, filepath.Base(f))
	}
	return strings.Join(names, ", ")
}

// plansOf plans every server. A problem of one is a ServerError; all of them are reported at once.
func plansOf(opts *Options, lock *Lock) ([]*plan, error) {
	r := &run{opts: opts, lock: lock}
	var plans []*plan
	var problems []error
	for _, s := range opts.Servers {
		p, err := r.plan(s)
		if err != nil {
			problems = append(problems, &ServerError{s.Name, err})
			continue
		}
		plans = append(plans, p)
	}
	return plans, errors.Join(problems...)
}

func (r *run) plan(s Server) (*plan, error) {
	p := &plan{name: s.Name, from: s.Command, dir: s.Dir}
	if slices.Contains(r.lock.Leave, s.Name) {
		p.recipe = &Recipe{Kind: KindWritten}
		p.locked = Locked{Kind: KindWritten}
		return p, nil
	}
	var err error
	if p.recipe, err = ParseCommand(s.Command); err != nil {
		return nil, err
	}
	if v := p.recipe.PythonVersion; v != "" && v != r.lock.Python {
		return nil, refuse("--python "+v+" packs for that version; an app has only one version of Python", "it requires Python %s, but the version to pack for is %s", v, r.lock.Python)
	}
	j := &job{plan: p}
	switch p.recipe.Kind {
	case KindPython:
		err = r.planPython(j)
	case KindNode:
		err = r.planNode(p)
	case KindDotnet:
		err = r.planDotnet(p)
	default:
		err = r.planProgram(p)
	}
	if err != nil {
		return nil, err
	}
	p.locked.Kind, p.locked.Wants = p.recipe.Kind, p.recipe.Requires
	return p, nil
}

func (r *run) planPython(j *job) (err error) {
	if j.recipe.File != "" {
		if j.script, err = r.inProject(j.dir, j.recipe.File); err != nil {
			return err
		}
	}
	if j.files, err = r.pythonFiles(j); err != nil {
		return err
	}
	j.locked.Inputs, err = inputs(j.recipe.Options, j.files)
	return err
}

func (r *run) planNode(p *plan) (err error) {
	p.locked.Inputs, err = inputs(p.recipe.Options, nil)
	if err != nil || p.recipe.File == "" {
		return err
	}
	if p.script, err = r.inProject(p.dir, p.recipe.File); err != nil {
		return err
	}
	if p.appDir = r.packageOf(p.script); p.appDir == "" {
		return nil
	}
	if p.appDir == "." {
		return refuse("move the server, with its package.json, into a folder of its own", "%s is the project's own folder", packageName)
	}
	app := filepath.Join(r.opts.Dir, p.appDir)
	if _, err := os.Stat(filepath.Join(app, packageLockName)); err != nil {
		return refuse("npm install --package-lock-only --prefix "+filepath.ToSlash(p.appDir)+" writes one; commit it", "%s has no %s", filepath.ToSlash(p.appDir), packageLockName)
	}
	p.locked.Inputs, err = packmanifest.TreeSum(app, "node_modules", ".git")
	return err
}

// packageOf returns the folder of the package.json that a script belongs to, relative to the
// project, or "".
func (r *run) packageOf(script string) string {
	for dir := filepath.Dir(filepath.FromSlash(script)); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(r.opts.Dir, dir, packageName)); err == nil {
			return dir
		}
		if dir == "." {
			return ""
		}
	}
}

func (r *run) planProgram(p *plan) (err error) {
	name := p.recipe.File
	switch {
	case strings.ContainsAny(name, `/\`):
		if p.program = filepath.FromSlash(name); !filepath.IsAbs(p.program) {
			p.program = filepath.Join(r.opts.Dir, p.dir, p.program)
		}
	case slices.Contains(r.lock.Programs, name):
		if p.program, err = process.Find(process.Spec{Command: name, Env: r.opts.Env}); err != nil {
			return err
		}
	case r.isGlobalTool(name):
		return refuse(`write it as dnx PACKAGE@VERSION --yes, with the NuGet package that it comes from; "dotnet tool list -g" names it`,
			"%s is a .NET tool that is installed on this machine alone", name)
	default:
		return refuse("--binary "+name+" includes the program of that name; "+hintLeave, "%s is not a package runner, so its packages are unknown", name)
	}
	if err := r.lock.checkProgram(p.program); err != nil {
		return err
	}
	p.locked.SHA256, err = packmanifest.Sum(p.program)
	return err
}

// isGlobalTool reports whether "dotnet tool install -g" has put a program of that name on this machine.
func (r *run) isGlobalTool(name string) bool {
	home, ok := r.lookup("HOME")
	_, err := os.Stat(filepath.Join(home, ".dotnet", "tools", name))
	return ok && err == nil
}

// inProject returns the path of a server's file in the project, slash-separated. What is published
// is the project, so a file elsewhere is an error.
func (r *run) inProject(dir, name string) (string, error) {
	if filepath.IsAbs(dir) || filepath.IsAbs(name) {
		return "", refuse("move it into the project and write its path relative to it", "%s is on this machine but not in the project", name)
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if !filepath.IsLocal(path) {
		return "", refuse("move it into the project", "%s is not in the project", name)
	}
	info, err := os.Stat(filepath.Join(r.opts.Dir, path))
	if err == nil && info.IsDir() {
		return "", refuse("name the script itself", "%s is a folder", name)
	}
	return filepath.ToSlash(path), err
}

// inputs returns a digest of what else a resolution depends on, or "" for nothing. A digest, since
// options may hold the address of a registry and what opens it.
func inputs(options, files []string) (string, error) {
	if len(options)+len(files) == 0 {
		return "", nil
	}
	h := sha256.New()
	enc := json.NewEncoder(h)
	if err := enc.Encode(options); err != nil {
		return "", err
	}
	for _, file := range files {
		sum, err := packmanifest.Sum(file)
		if err != nil {
			return "", err
		}
		if err := enc.Encode([]string{filepath.Base(file), sum}); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// filesThere reports whether the lock files of a plan are in the project.
func filesThere(dir string, p *plan) bool {
	name := ""
	switch {
	case p.recipe.Kind == KindPython && p.hasPackages():
		name = requirementsName
	case p.recipe.Kind == KindNode && len(p.recipe.Requires) > 0:
		name = packageLockName
	case p.recipe.Kind == KindDotnet:
		name = nugetName
	}
	_, err := os.Stat(filepath.Join(dir, LockFolder, p.name, name))
	return name == "" || err == nil
}
