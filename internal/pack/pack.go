// Package pack makes a project self-contained: it resolves the packages of its servers, locks
// them with versions and hashes, installs them into the project, and records how each server starts
// from them (package packmanifest), so that nothing is downloaded where the app runs.
//
// A run has three parts. Recipes are read off the command lines. Everything is then made in a folder
// of its own beside the project's, tried, and put in place by a rename each: a run that fails leaves
// the project as it was, and the next one clears up after one that was killed. Check compares what there is without making anything.
package pack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// A Server is one server of a configuration, with ${NAME} as it stands.
type Server struct {
	Name    string
	Command packmanifest.Command
	Dir     string // its working directory; empty for the project
}

// Options say what to pack.
type Options struct {
	Dir      string   // the project; absolute
	Platform string   // one of Platforms; empty for that of the lock, else Platform
	Servers  []Server // those switched on
	Settings Settings
	Env      []string // key=value, of package managers
	Modules  []Module // of the handler, for the SBOM
	Offline  bool     // nothing is downloaded: what was downloaded before must do

	Upgrade func(server string) bool // resolve again despite a lock; nil for no server

	// Probe starts a packed server and asks it for its tools. nil asks none.
	Probe func(context.Context, Target) ([]Tool, error)

	// Record is called with each server that has answered, as it will be started. nil records nothing.
	Record func(context.Context, Target)

	// Confirm is asked before anything is put in place where tools are others than they were; its error ends
	// the run. nil agrees.
	Confirm func(*Report) error

	// Log takes a line of progress, of a server or, with an empty name, of all.
	Log func(server, text string)

	// Lookup is how the configuration sees a variable on this machine, for what opens a source of packages.
	// nil is Env.
	Lookup func(name string) (string, bool)
}

// A Target is a packed server to be tried.
type Target struct {
	Name        string
	Dir         string   // the project with everything packed in it
	Interpreter string   // as in packmanifest.Start
	Python      string   // the Python that its packages are for
	Unbuilt     []string // packages whose install script was not run
	Node        string   // the Node of this machine, where the server starts by it; empty when it is not here

	// Imported, unless it is nil, is given the modules of Python that the server has imported when it has answered,
	// in the order in which they were done. With Fork it is forked; that this cannot be done is an error then.
	Imported *[]string
	Fork     *Fork

	// Launch returns the command line for the server's arguments with their values.
	Launch func(args []string) (packmanifest.Launch, error)
}

// A ServerError is what went wrong with one server.
type ServerError struct {
	Server string
	Err    error
}

func (e *ServerError) Error() string { return fmt.Sprintf("server %q: %v", e.Server, e.Err) }
func (e *ServerError) Unwrap() error { return e.Err }

// A run is one call of Pack.
type run struct {
	opts   *Options
	stage  string // where the project's new packed and mcp_lock are made
	work   string // for files that do not stay
	python string // the interpreter of the version that is packed for; empty when it is not here
	old    *Lock  // nil in a project that was never packed
	lock   *Lock
	file   *packmanifest.File
	jobs   []*job
	report *Report
	dotnet dotnet
}

// A job is one server on its way.
type job struct {
	*plan
	lockDir  string // of this server, in the stage
	treeDir  string
	report   *ServerReport
	unbuilt  []string // packages whose install script was not run
	module   string   // of Python, that is called or run; empty for a script
	programs []string // in the bin folder of its Python packages
	fork     []byte   // the list of modules that a server which can be forked was tried with
	noFork   string   // why one cannot
}

// Pack packs the project and reports what it did.
func Pack(ctx context.Context, opts *Options) (*Report, error) {
	if err := sweep(opts.Dir, time.Now()); err != nil {
		return nil, err
	}
	stage, err := os.MkdirTemp(opts.Dir, stagePrefix)
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return nil, fmt.Errorf("write into %s: %w", opts.Dir, e.Err) // the name of the stage says nothing
	}
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(stage)
	r := &run{opts: opts, stage: stage, work: filepath.Join(stage, workFolder)}
	if r.old, err = ReadLock(opts.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	platform := opts.Platform
	if platform == "" && r.old != nil {
		platform = r.old.Platform
	}
	platform = cmp.Or(platform, Platform)
	r.lock = &Lock{Format: lockFormat, Platform: platform, Settings: opts.Settings, Servers: map[string]Locked{}}
	r.file = &packmanifest.File{Format: packmanifest.Format, Platform: platform, Programs: map[string]packmanifest.Program{}, Servers: map[string]packmanifest.Server{}}
	for _, dir := range []string{r.work, filepath.Join(stage, LockFolder), filepath.Join(stage, packmanifest.Folder)} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
	}
	return r.run(ctx)
}

func (r *run) run(ctx context.Context) (*Report, error) {
	plans, err := plansOf(r.opts, r.lock)
	if err != nil {
		return nil, err
	}
	report := &Report{Platform: r.lock.Platform, Python: r.lock.Python, Servers: []*ServerReport{}}
	r.report = report
	for _, p := range plans {
		j := &job{
			plan: p, lockDir: filepath.Join(r.stage, LockFolder, p.name), treeDir: filepath.Join(r.stage, packmanifest.Folder, p.name),
			report: &ServerReport{Name: p.name, Kind: p.recipe.Kind},
		}
		r.jobs = append(r.jobs, j)
		report.Servers = append(report.Servers, j.report)
		if p.recipe.Kind == KindPython && r.file.Python == "" {
			r.file.Python = r.lock.Python
			r.python = interpreter(ctx, r.opts.Env, r.lock.Python)
		}
	}
	if r.file.Python != "" && r.python == "" && r.opts.Probe != nil && r.file.Fits() {
		return nil, refuse("uv python install "+r.lock.Python+" installs it; or use --python to pack for another version, or --no-probe to skip starting the servers",
			"cannot start the servers: Python %s, the version to pack for, is not on this machine", r.lock.Python)
	}
	if err := r.vendorNode(ctx); err != nil {
		return nil, err
	}
	for _, j := range r.jobs {
		if err := r.pack(ctx, j); err != nil {
			return nil, &ServerError{j.name, err}
		}
	}
	if err := r.vendorDotnet(ctx); err != nil {
		return nil, err
	}
	if err := r.write(); err != nil {
		return nil, err
	}
	if err := r.probe(ctx); err != nil {
		return nil, err
	}
	if err := writePins(r.stage, r.lock); err != nil {
		return nil, err
	}
	if r.opts.Confirm != nil && slices.ContainsFunc(report.Servers, func(s *ServerReport) bool { return len(s.ToolChanges) > 0 }) {
		if err := r.opts.Confirm(report); err != nil {
			return nil, err
		}
	}
	return report, r.commit()
}

// pack locks and installs one server.
func (r *run) pack(ctx context.Context, j *job) error {
	if j.recipe.Kind == KindWritten {
		r.lock.Servers[j.name] = j.locked
		r.note(j.name, "starts as written")
		return nil
	}
	if err := r.relock(ctx, j); err != nil {
		return err
	}
	var start packmanifest.Start
	var err error
	switch j.recipe.Kind {
	case KindPython:
		start, err = r.installPython(ctx, j)
	case KindNode:
		start, err = r.installNode(ctx, j)
	case KindDotnet:
		start, err = r.installDotnet(ctx, j)
	default:
		start, err = r.installProgram(j)
	}
	if err != nil {
		return err
	}
	lockDigest, err := r.lock.digest(r.stage, j.name)
	if err != nil {
		return err
	}
	server := packmanifest.Server{From: j.from, Start: start, Lock: lockDigest}
	if _, err := os.Stat(j.treeDir); err == nil {
		if server.Tree, err = packmanifest.TreeSum(j.treeDir); err != nil {
			return err
		}
		if j.report.Bytes, j.report.Files, err = treeSize(j.treeDir); err != nil {
			return err
		}
		if start.Interpreter != "" {
			if server.Start.Executables, err = r.executables(j); err != nil {
				return err
			}
		}
		if found := server.Start.Executables; len(found) > 0 {
			r.note(j.name, "is copied to the temporary folder when the app starts, as %s", mustRun(found))
		}
	}
	r.file.Servers[j.name] = server
	if err := r.compare(j); err != nil {
		return err
	}
	r.note(j.name, "%s", j.report.installed())
	return nil
}

// relock takes over the lock of a server that still asks for the same, or makes another.
func (r *run) relock(ctx context.Context, j *job) error {
	r.lock.Servers[j.name] = j.locked
	oldDir := filepath.Join(r.opts.Dir, LockFolder, j.name)
	if r.keeps(j) {
		if _, err := os.Stat(oldDir); err == nil {
			if err := copyTree(j.lockDir, oldDir); err != nil {
				return err
			}
		}
	} else {
		err := os.MkdirAll(j.lockDir, 0o755)
		if err != nil {
			return err
		}
		switch {
		case j.recipe.Kind == KindPython && j.hasPackages():
			r.note(j.name, "resolving %s", j.asked())
			if err = r.lockPython(ctx, j); err == nil {
				j.report.PassedOver = r.passedOver(ctx, j)
			}
		case j.recipe.Kind == KindNode && len(j.recipe.Requires) > 0:
			r.note(j.name, "resolving %s", j.asked())
			err = r.lockNode(ctx, j.lockDir, j.recipe.Requires, j.recipe.Options)
		case j.recipe.Kind == KindDotnet:
			r.note(j.name, "resolving %s", j.asked())
			err = r.lockDotnet(ctx, j)
		}
		if err != nil {
			return err
		}
		j.report.Resolved = true
	}
	return nil
}

// compare reports which packages a server has, and which of them are others than before.
func (r *run) compare(j *job) error {
	before, err := components(r.opts.Dir, j.name)
	if err != nil {
		return err
	}
	after, err := components(r.stage, j.name)
	if err != nil {
		return err
	}
	j.report.Packages = len(after)
	j.report.Locked = lockings(j.recipe.Kind, j.recipe.Requires, after)
	for _, l := range j.report.Locked {
		r.note(j.name, "locked %s", l)
	}
	for _, c := range j.report.PassedOver {
		r.note(j.name, "%s %s was skipped, because it must be built, which needs --scripts", c.Package, c.Was)
	}
	if len(before) > 0 {
		j.report.Changes = changes(before, after)
	}
	return nil
}

// keeps reports whether the lock of a server stands.
func (r *run) keeps(j *job) bool {
	if r.old == nil || r.opts.Upgrade != nil && r.opts.Upgrade(j.name) {
		return false
	}
	was, ok := r.old.Servers[j.name]
	return ok && r.old.Platform == r.lock.Platform && r.old.Python == r.lock.Python && r.old.Scripts == r.lock.Scripts && was.equal(j.locked) && filesThere(r.opts.Dir, j.plan)
}

func (l Locked) equal(m Locked) bool {
	return l.Kind == m.Kind && slices.Equal(l.Wants, m.Wants) && l.Inputs == m.Inputs && l.SHA256 == m.SHA256
}

// write writes the files that describe the stage.
func (r *run) write() error {
	if err := r.lock.write(r.stage); err != nil {
		return err
	}
	data, err := r.file.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.stage, packmanifest.Folder, packmanifest.Name), data, 0o644); err != nil {
		return err
	}
	sbom, err := bom(r.stage, r.lock, r.file, r.opts.Modules)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.stage, SBOMName), sbom, 0o644)
}

// commit puts the stage in the project's place.
func (r *run) commit() error {
	attic := filepath.Join(r.work, atticFolder)
	if err := os.Mkdir(attic, 0o755); err != nil {
		return err
	}
	for _, name := range placed() {
		if err := swap(r.opts.Dir, r.stage, attic, name); err != nil {
			return fmt.Errorf("put %s in place: %w", name, err)
		}
	}
	return nil
}

func (r *run) note(server, format string, args ...any) {
	r.opts.Log(server, fmt.Sprintf(format, args...))
}
