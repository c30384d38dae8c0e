package pack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// dotnetFolder is where the .NET that servers share lies, and its lock. No server's name begins so.
const dotnetFolder = "_dotnet"

// vendorDotnet includes the .NET that servers need, once for all that can run on the same, and makes the
// programs that start their assemblies.
func (r *run) vendorDotnet(ctx context.Context) error {
	if len(r.dotnet.needs) == 0 {
		return nil
	}
	r.dotnet.client.Log = func(text string) { r.note("", "%s", text) }
	before, err := r.lockedDotnet()
	if err != nil {
		return err
	}
	v := &vendoring{run: r, before: before}
	if err := v.choose(ctx); err != nil {
		return err
	}
	if err := v.install(ctx); err != nil {
		return fmt.Errorf(".NET: %w", asRecipeError(err))
	}
	for _, need := range r.dotnet.needs {
		if need.entry == "" {
			continue
		}
		if err := r.makeHost(need, v.host); err != nil {
			return &ServerError{need.job.name, err}
		}
	}
	return v.record()
}

// lockedDotnet returns the lock of the .NET that was shared before, empty where it does not stand.
func (r *run) lockedDotnet() (*nugetLock, error) {
	if r.old == nil || r.old.Platform != r.lock.Platform || r.opts.Upgrade != nil && r.opts.Upgrade(dotnetFolder) {
		return &nugetLock{}, nil
	}
	l, err := readNugetLock(filepath.Join(r.opts.Dir, LockFolder, dotnetFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return &nugetLock{}, nil
	}
	return l, err
}

// A vendoring is one call of vendorDotnet.
type vendoring struct {
	*run
	before   *nugetLock
	runtimes []nuget.Version // those that are included, in order
	web      map[string]bool // which of them with ASP.NET
	lock     nugetLock
	host     []byte // the program that starts an assembly, without the name of one
}

// choose decides which runtimes there will be: for every server the oldest that it can run on, in its newest
// patch, or one that is there anyway where that will do. So does the host when it starts a server.
func (v *vendoring) choose(ctx context.Context) error {
	needs := slices.Clone(v.dotnet.needs)
	order := []nuget.Roll{nuget.RollMinor, nuget.RollPatch, nuget.RollNone, nuget.RollMajor} // who takes any comes last
	slices.SortStableFunc(needs, func(a, b dotnetNeed) int {
		return cmp.Compare(slices.Index(order, a.needs.Roll), slices.Index(order, b.needs.Roll))
	})
	v.web = map[string]bool{}
	for _, n := range needs {
		chosen, err := v.chooseFor(ctx, n)
		if err != nil {
			return &ServerError{n.job.name, asRecipeError(err)}
		}
		if n.needs.Web {
			v.web[chosen.String()] = true
		}
	}
	return nil
}

func (v *vendoring) chooseFor(ctx context.Context, n dotnetNeed) (nuget.Version, error) {
	if chosen, ok := oldest(v.runtimes, n.needs); ok {
		return chosen, nil
	}
	id := nuget.RuntimePackage(nuget.CoreFramework, v.arch())
	var locked []nuget.Version
	for _, p := range v.before.Packages {
		if p.ID == id {
			locked = append(locked, p.version())
		}
	}
	chosen, ok := oldest(locked, n.needs)
	if !ok {
		var err error
		if chosen, _, err = v.findRuntime(ctx, v.dotnet.groups, id, n.needs); errors.Is(err, nuget.ErrAbsent) {
			err = noRuntime("it", n.needs, err)
		}
		if err != nil {
			return chosen, err
		}
	}
	v.runtimes = append(v.runtimes, chosen)
	slices.SortFunc(v.runtimes, nuget.Version.Compare)
	return chosen, nil
}

// oldest returns the version that a host would take among those that there are: of the oldest minor version
// that will do, the newest patch.
func oldest(all []nuget.Version, needs nuget.Needs) (best nuget.Version, ok bool) {
	for _, v := range all {
		if !needs.Fits(v) {
			continue
		}
		minor := cmp.Or(cmp.Compare(v.Major(), best.Major()), cmp.Compare(v.Minor(), best.Minor()))
		if !ok || minor < 0 || minor == 0 && v.Compare(best) > 0 {
			best, ok = v, true
		}
	}
	return best, ok
}

// everywhere are the sources that packages of .NET itself may come from: those of servers, which may be all
// that a closed network has, and then those of this machine.
func (r *run) everywhere(groups []nuget.Sources) ([]nuget.Sources, error) {
	machine, err := nuget.ThisMachine(r.opts.Dir, r.lookup).Default()
	return append(groups[:len(groups):len(groups)], machine), err
}

// findRuntime looks for a version of a package that will do. One source after the other is asked until one
// has it, so that nobody is asked in vain. Without one, the error is nuget.ErrAbsent.
func (r *run) findRuntime(ctx context.Context, groups []nuget.Sources, id string, needs nuget.Needs) (nuget.Version, nuget.Sources, error) {
	groups, failed := r.everywhere(groups)
	var there []nuget.Version
	for _, group := range groups {
		all, err := r.dotnet.client.Versions(ctx, group, id)
		switch {
		case ctx.Err() != nil:
			return nuget.Version{}, nuget.Sources{}, ctx.Err()
		case err != nil && !errors.Is(err, nuget.ErrAbsent):
			failed = cmp.Or(failed, err)
			continue
		}
		if v, ok := oldest(all, needs); ok {
			return v, group, nil
		}
		there = append(there, all...)
	}
	if failed == nil {
		failed = &absent{id, there}
	}
	return nuget.Version{}, nuget.Sources{}, failed
}

// absent says that sources have other versions of a package than are wanted.
type absent struct {
	id    string
	there []nuget.Version
}

func (e *absent) Error() string {
	return "no source has a version of " + e.id + " that satisfies the requirement"
}
func (e *absent) Unwrap() error { return nuget.ErrAbsent }

// noRuntime says that nobody has the runtime that a server wants.
func noRuntime(what string, needs nuget.Needs, err error) error {
	wants := fmt.Sprintf("%s needs .NET %d.%d", what, needs.Version.Major(), needs.Version.Minor())
	hint := "add a source that has it, such as --add-source " + nuget.PublicIndex
	var e *absent
	if errors.As(err, &e) {
		anyNewer := nuget.Needs{Version: needs.Version, Roll: nuget.RollMajor}
		if v, ok := oldest(e.there, anyNewer); ok {
			hint = fmt.Sprintf("use dnx --allow-roll-forward to run it on a newer one, such as %s, which may be incompatible", v)
		}
	}
	return refuse(hint, "%s, but no source has a package of that runtime", wants)
}

// fetch gets a package of .NET itself, with the hash that it had before where it is locked.
func (v *vendoring) fetch(ctx context.Context, id string, version nuget.Version) (*nuget.Package, error) {
	var want nuget.Digest
	for _, p := range v.before.Packages {
		if p.ID == id && p.version().Compare(version) == 0 {
			want = p.SHA512
		}
	}
	groups, failed := v.everywhere(v.dotnet.groups)
	for _, group := range groups {
		file, err := v.dotnet.client.Fetch(ctx, group, id, version, want)
		switch {
		case errors.Is(err, nuget.ErrAbsent):
			continue
		case err != nil && ctx.Err() == nil:
			failed = cmp.Or(failed, err)
			continue
		case err != nil:
			return nil, err
		}
		p, err := openPackage(file, id, version)
		if err == nil {
			v.lock.Packages = append(v.lock.Packages, nugetPackage{ID: p.ID, Version: version.String(), SHA512: file.Digest, License: p.License})
		}
		return p, err
	}
	if failed == nil {
		failed = &absent{id: id + " " + version.String()}
	}
	return nil, failed
}

// fetchLike is fetch for a package that has the same versions as the runtime, mostly.
func (v *vendoring) fetchLike(ctx context.Context, id string, version nuget.Version) (*nuget.Package, error) {
	p, err := v.fetch(ctx, id, version)
	if !errors.Is(err, nuget.ErrAbsent) {
		return p, err
	}
	first, err := nuget.ParseVersion(fmt.Sprintf("%d.%d.0", version.Major(), version.Minor()))
	if err != nil {
		return nil, err
	}
	other, _, err := v.findRuntime(ctx, v.dotnet.groups, id, nuget.Needs{Version: first, Roll: nuget.RollPatch})
	if err != nil {
		return nil, err
	}
	return v.fetch(ctx, id, other)
}

// install writes the runtimes out as a DOTNET_ROOT has them, and gets the host, all for the newest: that
// finds older ones as well.
func (v *vendoring) install(ctx context.Context) error {
	newest := v.runtimes[len(v.runtimes)-1]
	for _, version := range v.runtimes {
		p, err := v.fetch(ctx, nuget.RuntimePackage(nuget.CoreFramework, v.arch()), version)
		if err != nil {
			return err
		}
		if err := v.extract(p, nuget.CoreFramework, version.Compare(newest) == 0); err != nil {
			return err
		}
		if !v.web[version.String()] {
			continue
		}
		if p, err = v.fetchLike(ctx, nuget.RuntimePackage(nuget.WebFramework, v.arch()), version); err != nil {
			return err
		}
		if err := v.extractWeb(p, version); err != nil {
			return err
		}
	}
	for _, n := range v.dotnet.needs {
		if n.entry == "" {
			continue
		}
		p, err := v.fetchLike(ctx, nuget.HostPackage(v.arch()), newest)
		if err != nil {
			return err
		}
		v.host, err = p.ReadFile(nuget.HostFile(v.arch()))
		return errors.Join(err, p.Close())
	}
	return nil
}

func (v *vendoring) root() string { return filepath.Join(v.stage, packmanifest.Folder, dotnetFolder) }

// extract writes a framework out, with what finds frameworks if it is the newest, and closes its package.
func (v *vendoring) extract(p *nuget.Package, framework string, newest bool) (err error) {
	defer func() { err = errors.Join(err, p.Close()) }()
	seen := map[string]bool{}
	err = p.Extract(v.root(), func(name string) string {
		to := nuget.RuntimeFile(framework, p.Version, v.arch(), name)
		if seen[to] || strings.HasPrefix(to, "host/") && !newest {
			return ""
		}
		seen[to] = true
		return to
	})
	if err == nil && len(seen) < 2 { // "" is among them
		err = refuse("report it to the operator of the feed", "%s %s does not contain runtime files", p.ID, p.Version)
	}
	return err
}

// extractWeb is extract for ASP.NET, which says itself on which runtime it stands.
func (v *vendoring) extractWeb(p *nuget.Package, core nuget.Version) error {
	version := p.Version
	if err := v.extract(p, nuget.WebFramework, false); err != nil {
		return err
	}
	file := filepath.Join(v.root(), "shared", nuget.WebFramework, version.String(), nuget.WebFramework+".runtimeconfig.json")
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(file, nuget.RuntimeConfig(core), 0o644)
}

// makeHost makes the program of a server out of the host.
func (r *run) makeHost(need dotnetNeed, host []byte) error {
	assembly := path.Base(need.entry)
	program, err := nuget.Host(host, assembly)
	if err != nil {
		return err
	}
	file := filepath.Join(r.work, need.job.name, strings.TrimSuffix(assembly, path.Ext(assembly)))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, program, 0o755); err != nil {
		return err
	}
	if err := r.lock.checkProgram(file); err != nil {
		return err
	}
	return r.addProgramBeside(need.job.name, file, path.Join(packmanifest.Folder, need.job.name, path.Dir(need.entry)))
}

// record writes the lock, and says what came along.
func (v *vendoring) record() error {
	slices.SortFunc(v.lock.Packages, func(a, b nugetPackage) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), a.version().Compare(b.version()))
	})
	if err := writeJSON(filepath.Join(v.stage, LockFolder, dotnetFolder, nugetName), v.lock); err != nil {
		return err
	}
	digest, err := dotnetDigest(v.stage)
	if err != nil {
		return err
	}
	tree, err := packmanifest.TreeSum(v.root())
	if err != nil {
		return err
	}
	v.file.Dotnet = &packmanifest.Runtime{Path: path.Join(packmanifest.Folder, dotnetFolder), Lock: digest, Tree: tree}
	report := &RuntimeReport{}
	if report.Bytes, report.Files, err = treeSize(v.root()); err != nil {
		return err
	}
	for _, version := range v.runtimes {
		text := version.String()
		if v.web[text] {
			text += " with ASP.NET"
		}
		report.Versions = append(report.Versions, text)
	}
	for _, n := range v.dotnet.needs {
		report.Servers = append(report.Servers, n.job.name)
	}
	v.report.Dotnet = report
	v.note("", ".NET %s is included, %.1f MB, for %s", strings.Join(report.Versions, " and "), float64(report.Bytes)/1e6, strings.Join(report.Servers, ", "))
	return nil
}

// dotnetDigest is the digest of what is locked of .NET itself in the project in dir.
func dotnetDigest(dir string) (string, error) {
	return packmanifest.Sum(filepath.Join(dir, LockFolder, dotnetFolder, nugetName))
}

// checkDotnet says what does not fit between the lock of .NET and what is packed of it.
func checkDotnet(dir string, runtime *packmanifest.Runtime) (string, error) {
	sum, err := dotnetDigest(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if sum != runtime.Lock {
		return ".NET was packed from a different lock", nil
	}
	tree, err := packmanifest.TreeSum(filepath.Join(dir, filepath.FromSlash(runtime.Path)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if tree != runtime.Tree {
		return runtime.Path + " has changed since it was packed", nil
	}
	return "", nil
}
