package pack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// dotnet is what a run knows of .NET.
type dotnet struct {
	client *nuget.Client
	needs  []dotnetNeed
	groups []nuget.Sources // that packages of .NET itself may come from: those of servers, in order
}

// A dotnetNeed is a server that does not bring its runtime.
type dotnetNeed struct {
	job   *job
	needs nuget.Needs
	entry string // the assembly, in the server's tree; empty where the package has a program for it
}

// arch is .NET's name for the architecture that is packed for.
func (r *run) arch() string { return nuget.Arch(r.lock.goarch()) }

// lookup is how sources see a variable of this machine.
func (r *run) lookup(name string) (string, bool) {
	if r.opts.Lookup != nil {
		return r.opts.Lookup(name)
	}
	value := process.Getenv(r.opts.Env, name)
	return value, value != ""
}

func (r *run) nuget() (*nuget.Client, error) {
	if r.dotnet.client == nil {
		cache, err := nuget.CacheOf(r.lookup)
		if err != nil {
			return nil, asRecipeError(err)
		}
		r.dotnet.client = &nuget.Client{Cache: cache, Offline: r.opts.Offline}
	}
	return r.dotnet.client, nil
}

// sources returns where the packages of a server come from.
func (r *run) sources(j *job) (nuget.Sources, error) {
	dir := filepath.Join(r.opts.Dir, j.dir)
	if filepath.IsAbs(j.dir) {
		dir = j.dir
	}
	s, err := nuget.ThisMachine(dir, r.lookup).Sources(j.recipe.dotnet)
	return s, asRecipeError(err)
}

// planDotnet finds the package of a local tool, and the version that a tool manifest of the project has for
// one that is asked for without.
func (r *run) planDotnet(p *plan) (err error) {
	c := p.recipe.dotnet
	if c.Tool != "" || !c.Versioned() {
		if err := r.fromManifest(p); err != nil {
			return err
		}
	}
	p.locked.Inputs, err = inputs(p.recipe.Options, nil)
	return err
}

func (r *run) fromManifest(p *plan) error {
	c := *p.recipe.dotnet
	name, byCommand := c.Package, false
	if c.Tool != "" {
		name, byCommand = c.Tool, true
	}
	dir := filepath.Join(r.opts.Dir, p.dir)
	if filepath.IsAbs(p.dir) {
		dir = p.dir
	}
	tool, found, err := nuget.FindLocalTool(dir, r.opts.Dir, name, byCommand)
	switch {
	case err != nil:
		return err
	case !found && byCommand:
		return refuse("write it as dnx PACKAGE@VERSION --yes, or put the manifest into the project as .config/dotnet-tools.json",
			"the command %q is not in any tool manifest of the project", name)
	case !found:
		return nil
	}
	c.Package, c.Range, c.RollForward = tool.Package, nuget.Exactly(tool.Version), c.RollForward || tool.RollForward
	p.recipe.dotnet = &c
	p.recipe.Requires = []string{dotnetRequirement(&c)}
	return nil
}

// lockDotnet resolves the package of a server, and the one of it that is for the platform.
func (r *run) lockDotnet(ctx context.Context, j *job) error {
	client, err := r.nuget()
	if err != nil {
		return err
	}
	client.Log = func(text string) { r.note(j.name, "%s", text) }
	from, err := r.sources(j)
	if err != nil {
		return err
	}
	c := j.recipe.dotnet
	v, err := client.Resolve(ctx, from, c.Package, c.Range)
	if err != nil {
		return asRecipeError(err)
	}
	lock := &nugetLock{}
	for id := c.Package; ; {
		locked, pointer, err := r.lockTool(ctx, j, from, id, v)
		if err != nil {
			return asRecipeError(err)
		}
		lock.Packages = append(lock.Packages, locked)
		if pointer == "" {
			break
		}
		if len(lock.Packages) > 1 {
			return refuse("report it to the publisher", "%s points to %s, which points to %s", c.Package, id, pointer)
		}
		id = pointer
	}
	return writeJSON(filepath.Join(j.lockDir, nugetName), lock)
}

// lockTool locks one package: what of it is run, or which other it points to.
func (r *run) lockTool(ctx context.Context, j *job, from nuget.Sources, id string, v nuget.Version) (nugetPackage, string, error) {
	var locked nugetPackage
	file, err := r.dotnet.client.Fetch(ctx, from, id, v, "")
	if err != nil {
		return locked, "", err
	}
	p, err := openPackage(file, id, v)
	if err != nil {
		return locked, "", err
	}
	defer p.Close()
	locked = nugetPackage{ID: p.ID, Version: p.Version.String(), SHA512: file.Digest, License: p.License}
	tools, pointer, err := p.Tools(r.arch())
	if err != nil || pointer != "" {
		return locked, pointer, err
	}
	locked.Folder, err = r.chooseTool(ctx, j, from, p, tools)
	return locked, "", err
}

// openPackage opens a package that was fetched.
func openPackage(file nuget.File, id string, v nuget.Version) (*nuget.Package, error) {
	p, err := nuget.Open(file.Path)
	if err != nil {
		return nil, refuse("report it to the publisher", "the package %s %s %v", id, v, err)
	}
	if err := p.Is(id, v); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// chooseTool returns the folder of the newest framework whose runtime can be had.
func (r *run) chooseTool(ctx context.Context, j *job, from nuget.Sources, p *nuget.Package, tools []nuget.Tool) (string, error) {
	var missing error
	for _, tool := range tools {
		needs, err := dotnetNeeds(j, p, tool)
		if err != nil {
			return "", err
		}
		if !needs.Some() {
			return tool.Dir, nil
		}
		_, _, err = r.findRuntime(ctx, []nuget.Sources{from}, nuget.RuntimePackage(nuget.CoreFramework, r.arch()), needs)
		if err == nil {
			return tool.Dir, nil
		}
		if !errors.Is(err, nuget.ErrAbsent) {
			return "", err
		}
		if missing == nil {
			missing = noRuntime(p.ID+" "+p.Version.String(), needs, err)
		}
	}
	return "", missing
}

// dotnetNeeds is what a tool needs where the command line is heard as well.
func dotnetNeeds(j *job, p *nuget.Package, tool nuget.Tool) (nuget.Needs, error) {
	needs, err := p.Needs(tool)
	if j.recipe.dotnet.RollForward {
		needs.Roll = nuget.RollMajor
	}
	return needs, err
}

// installDotnet writes out what is locked. Programs of .NET that a runtime is needed for are made when it is
// known which.
func (r *run) installDotnet(ctx context.Context, j *job) (packmanifest.Start, error) {
	start := packmanifest.Start{Program: j.name, Replaces: j.recipe.Replaces, Skips: j.recipe.Skips}
	lock, err := readNugetLock(j.lockDir)
	if err != nil {
		return start, err
	}
	client, err := r.nuget()
	if err != nil {
		return start, err
	}
	client.Log = func(text string) { r.note(j.name, "%s", text) }
	from, err := r.sources(j)
	if err != nil {
		return start, err
	}
	if len(lock.Packages) == 0 {
		return start, fmt.Errorf("%s has no packages", nugetName)
	}
	locked := lock.Packages[len(lock.Packages)-1]
	file, err := client.Fetch(ctx, from, locked.ID, locked.version(), locked.SHA512)
	if err != nil {
		return start, asRecipeError(err)
	}
	p, err := openPackage(file, locked.ID, locked.version())
	if err != nil {
		return start, asRecipeError(err)
	}
	defer p.Close()
	tools, _, err := p.Tools(r.arch())
	if err != nil {
		return start, asRecipeError(err)
	}
	i := slices.IndexFunc(tools, func(t nuget.Tool) bool { return t.Dir == locked.Folder })
	if i < 0 {
		return start, refuse("run mcpfunc pack --upgrade to lock it again", "%s %s has nothing to run in %s, contrary to its lock", locked.ID, locked.Version, locked.Folder)
	}
	needs, err := dotnetNeeds(j, p, tools[i])
	if err != nil {
		return start, asRecipeError(err)
	}
	start.Dotnet = &packmanifest.Dotnet{Shared: needs.Some(), RollForward: j.recipe.dotnet.RollForward, OwnICU: needs.OwnICU}
	if needs.Some() {
		r.dotnet.needs = append(r.dotnet.needs, dotnetNeed{job: j, needs: needs})
		r.dotnet.groups = append(r.dotnet.groups, from)
	}
	return start, r.extractTool(j, p, tools[i])
}

// extractTool writes the files of a tool into the server's tree, and its program among the programs.
func (r *run) extractTool(j *job, p *nuget.Package, tool nuget.Tool) error {
	wanted := p.Files(tool, r.arch())
	target := func(name string) string {
		rel, ok := strings.CutPrefix(name, tool.Dir+"/")
		if !ok || !slices.Contains(wanted, rel) || tool.Program && rel == tool.Entry {
			return ""
		}
		return rel
	}
	beside := false
	for _, rel := range wanted {
		beside = beside || rel != tool.Entry
	}
	if beside || !tool.Program {
		if err := p.Extract(j.treeDir, target); err != nil {
			return fmt.Errorf("%s %s: %w", p.ID, p.Version, err)
		}
	}
	if !tool.Program {
		r.dotnet.needs[len(r.dotnet.needs)-1].entry = tool.Entry
		return nil
	}
	work := filepath.Join(r.work, j.name)
	if err := p.Extract(work, func(name string) string {
		if name == path.Join(tool.Dir, tool.Entry) {
			return path.Base(tool.Entry)
		}
		return ""
	}); err != nil {
		return fmt.Errorf("%s %s: %w", p.ID, p.Version, err)
	}
	program := filepath.Join(work, path.Base(tool.Entry))
	if err := r.lock.checkProgram(program); err != nil {
		return err
	}
	folder := ""
	if info, err := os.Stat(program); err == nil && !beside { // else the tree is what counts
		j.report.Bytes, j.report.Files = info.Size(), 1
	}
	if beside {
		folder = path.Join(packmanifest.Folder, j.name, path.Dir(tool.Entry))
	}
	return r.addProgramBeside(j.name, program, folder)
}

// addProgramBeside is addProgram for one that looks for the contents of a folder beside itself.
func (r *run) addProgramBeside(name, file, folder string) error {
	if err := r.addProgram(name, file); err != nil {
		return err
	}
	p := r.file.Programs[name]
	p.Beside = folder
	r.file.Programs[name] = p
	return nil
}
