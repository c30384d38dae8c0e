package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/hint"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

const sitePackages = "site-packages"

var minorVersion = regexp.MustCompile(`^3\.[0-9]{1,3}$`)

// lockPython resolves the packages of a server into its requirements.txt, every one with its version
// and the hashes of the files that may be installed for it.
func (r *run) lockPython(ctx context.Context, j *job) error {
	uv, err := r.uv()
	if err != nil {
		return err
	}
	var in bytes.Buffer
	for _, requirement := range j.recipe.Requires {
		fmt.Fprintln(&in, requirement)
	}
	asked := filepath.Join(r.work, j.name+".in")
	if err := os.WriteFile(asked, in.Bytes(), 0o644); err != nil {
		return err
	}
	locked := filepath.Join(j.lockDir, requirementsName)
	args := []string{"pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links",
		"--python-version", r.lock.Python, "--python-platform", r.lock.target().wheels, "--output-file", locked}
	if !r.lock.Scripts {
		args = append(args, "--no-build")
	}
	args = append(args, j.recipe.Options...)
	if in.Len() > 0 {
		args = append(args, asked)
	}
	_, err = uv.run(ctx, r.opts.Dir, append(args, j.files...)...)
	return r.explainBuild(err)
}

// passedOver returns the packages that were asked for and of which there is a newer release that only a build on
// this machine could install. It asks the index alone; no package is built or downloaded for that, and where the
// index does not answer nothing is known.
func (r *run) passedOver(ctx context.Context, j *job) []Change {
	if r.lock.Scripts || r.opts.Offline || len(j.recipe.Requires) == 0 {
		return nil
	}
	got, err := components(r.stage, j.name)
	if err != nil {
		return nil
	}
	newest, err := r.newest(ctx, j)
	if err != nil {
		return nil
	}
	var list []Change
	var wheels map[string]string
	for _, c := range got {
		is, asked := newest[c.name]
		if !asked || is == c.version {
			continue
		}
		if wheels == nil {
			if wheels, err = r.newest(ctx, j, "--no-build"); err != nil {
				return nil
			}
		}
		if wheels[c.name] != is { // else its dependencies are what kept it from being chosen
			list = append(list, Change{Package: c.name, Was: is, Is: c.version})
		}
	}
	return list
}

// newest returns the versions that a server's packages would have if they needed nothing, by name.
func (r *run) newest(ctx context.Context, j *job, flags ...string) (map[string]string, error) {
	uv, err := r.uv()
	if err != nil {
		return nil, err
	}
	args := []string{"pip", "compile", "--quiet", "--no-deps", "--no-header", "--no-annotate",
		"--python-version", r.lock.Python, "--python-platform", r.lock.target().wheels}
	args = append(append(append(args, flags...), j.recipe.Options...), filepath.Join(r.work, j.name+".in"))
	out, err := uv.run(ctx, r.opts.Dir, args...)
	if err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if m := pin.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			versions[normalName(m[1])] = m[2]
		}
	}
	return versions, nil
}

// installPython installs exactly what is locked, and writes the script that starts it.
func (r *run) installPython(ctx context.Context, j *job) (packmanifest.Start, error) {
	start := packmanifest.Start{Interpreter: packmanifest.Python, Flags: j.recipe.Flags, Replaces: j.recipe.Replaces}
	site := ""
	if j.hasPackages() {
		// No packages from the home folder, which is /tmp there: any server could leave some for another.
		start.Flags = append([]string{"-s"}, start.Flags...)
		site = filepath.Join(j.treeDir, sitePackages)
		if err := r.installWheels(ctx, j, site); err != nil {
			return start, err
		}
	} else if j.recipe.File != "" { // nothing to put before it: a script of the standard library alone
		start.Script = j.script
		return start, nil
	}
	stub, err := r.stub(j, site)
	if err != nil {
		return start, err
	}
	if err := os.MkdirAll(j.treeDir, 0o755); err != nil {
		return start, err
	}
	start.Script = packmanifest.Folder + "/" + j.name + "/start.py"
	if err := os.WriteFile(filepath.Join(j.treeDir, "start.py"), []byte(stub), 0o644); err != nil || site == "" {
		return start, err
	}
	return start, r.addFork(j, &start)
}

func (r *run) installWheels(ctx context.Context, j *job, site string) error {
	uv, err := r.uv()
	if err != nil {
		return err
	}
	args := []string{"pip", "install", "--quiet", "--target", site, "--require-hashes", "--no-deps", "--link-mode", "copy",
		"--python-version", r.lock.Python, "--python-platform", r.lock.target().wheels}
	if !r.lock.Scripts {
		args = append(args, "--no-build")
	}
	args = append(append(args, j.recipe.Options...), "--requirement", filepath.Join(j.lockDir, requirementsName))
	if _, err := uv.run(ctx, r.opts.Dir, args...); err != nil {
		return r.explainBuild(err)
	}
	// The lock file is uv's own.
	if err := errors.Join(r.keepPrograms(j, filepath.Join(site, binFolder)), os.Remove(filepath.Join(site, ".lock"))); err != nil {
		return err
	}
	return r.compile(ctx, j, site)
}

// compile compiles the packages, as where they run the folder is read-only and every start would do
// it again. The bytecode goes by its source's name and not its time, which a zip changes.
func (r *run) compile(ctx context.Context, j *job, site string) error {
	if r.python == "" {
		r.note(j.name, "not compiled, because Python %s is not on this machine: starts take longer", r.lock.Python)
		return nil
	}
	// A fixed seed, or sets are written in another order each time.
	python := &tool{name: "python", path: r.python, env: append(slices.Clone(r.opts.Env), "PYTHONHASHSEED=0")}
	// That some file does not compile is no error: packages have templates and tests that never do.
	_, _ = python.run(ctx, r.work, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", site, "-p", sitePackages, site)
	return ctx.Err()
}

// pythonNeed is how uv names the versions of Python that a package is for.
var pythonNeed = regexp.MustCompile(`Python>=?(3\.[0-9]{1,3})\b`)

// explainBuild says what to do about a package that has no wheel, or is for another Python.
func (r *run) explainBuild(err error) error {
	if err != nil && !r.lock.Scripts && strings.Contains(err.Error(), "building") && strings.Contains(err.Error(), "disabled") {
		return refuse("use --scripts to let packages run their own code on this machine during installation", "%v", err)
	}
	if err == nil || !strings.Contains(err.Error(), "does not satisfy Python") {
		return err
	}
	need := r.lock.Python
	for _, m := range pythonNeed.FindAllStringSubmatch(err.Error(), -1) {
		if minor(m[1]) > minor(need) {
			need = m[1]
		}
	}
	if need == r.lock.Python {
		return hint.With(err, "use --python to pack for another version of Python, which must match the app's stack")
	}
	return hint.With(err, "--python "+need+" packs for that version of Python, which must match the app's stack; or request an older release")
}

// minor is the number behind the dot of a version of Python 3.
func minor(version string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(version, "3."))
	return n
}

func (r *run) uv() (*tool, error) {
	settings := []string{"UV_PYTHON_DOWNLOADS=never", "UV_NO_PROGRESS=1"}
	if r.opts.Offline {
		settings = append(settings, "UV_OFFLINE=1")
	}
	return findTool("uv", r.opts.Env, settings...)
}

// pythonFiles returns the files of the project that say what its script or module needs, by their
// absolute paths: the script itself if it holds metadata (PEP 723), else requirements.txt or
// pyproject.toml beside it, in the server's folder or in the project.
func (r *run) pythonFiles(j *job) ([]string, error) {
	var files []string
	for _, name := range j.recipe.Files {
		files = append(files, filepath.Join(r.opts.Dir, j.dir, name))
	}
	if len(files) > 0 || len(j.recipe.Requires) > 0 {
		return files, nil
	}
	folders := []string{filepath.Join(r.opts.Dir, j.dir), r.opts.Dir}
	if j.script != "" {
		script := filepath.Join(r.opts.Dir, filepath.FromSlash(j.script))
		data, err := os.ReadFile(script)
		if err != nil {
			return nil, err
		}
		if scriptMetadata.Match(data) {
			return []string{script}, nil
		}
		folders = append([]string{filepath.Dir(script)}, folders...)
	}
	for _, folder := range folders {
		for _, name := range []string{requirementsName, "pyproject.toml"} {
			path := filepath.Join(folder, name)
			if _, err := os.Stat(path); err == nil {
				return []string{path}, nil
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	if j.recipe.Module != "" && !r.hasModule(j) {
		return nil, refuse("name its package in a requirements.txt beside mcp_config.json, or start it by uvx --from PACKAGE",
			"the package of the module %s is unknown", j.recipe.Module)
	}
	return nil, nil
}

// scriptMetadata is the first line of a block of metadata in a script (PEP 723).
var scriptMetadata = regexp.MustCompile(`(?m)^# /// script\s*$`)

// hasModule reports whether a module is one of the server's folder.
func (r *run) hasModule(j *job) bool {
	path := filepath.Join(r.opts.Dir, j.dir, filepath.FromSlash(strings.ReplaceAll(j.recipe.Module, ".", "/")))
	for _, p := range []string{path + ".py", filepath.Join(path, "__main__.py")} {
		if _, err := os.Stat(p); err == nil {
			return true
		}
	}
	return false
}

// stub returns a script that starts what the recipe runs, with the packages in site before all
// others: the app's stack has packages of its own. Under another name than __main__ it gets ready for that alone,
// which a process does before others are forked from it, and they may do again.
func (r *run) stub(j *job, site string) (string, error) {
	var b strings.Builder
	b.WriteString("# Written by mcpfunc pack.\nimport os\nimport sys\n\n")
	if site != "" {
		major, minor, _ := strings.Cut(r.lock.Python, ".")
		fmt.Fprintf(&b, `if sys.version_info[:2] != (%s, %s):
    sys.exit(
        "packed for Python %s, but this is %%d.%%d: give the app that version,"
        " or run mcpfunc pack --python %%d.%%d" %% (sys.version_info[:2] * 2)
    )

import site

here = os.path.dirname(os.path.abspath(__file__))
packages = os.path.join(here, "site-packages")
if packages not in sys.path:
    sys.path[0] = packages
    site.addsitedir(packages)
# For processes that it starts itself.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH")]))
%s
`, major, minor, r.lock.Python, pathLine(j))
	} else {
		b.WriteString("here = os.path.dirname(os.path.abspath(__file__))\nsys.path.pop(0)\n\n")
	}
	var main strings.Builder
	switch {
	case j.recipe.Module != "":
		j.module = j.recipe.Module
		if len(j.recipe.Requires) == 0 {
			main.WriteString("sys.path.insert(0, os.getcwd())\n")
		}
		fmt.Fprintf(&main, "import runpy\n\nrunpy.run_module(%s, run_name=\"__main__\", alter_sys=True)\n", strconv.QuoteToASCII(j.recipe.Module))
	case j.recipe.File != "":
		fmt.Fprintf(&main, `import runpy

script = os.path.abspath(os.path.join(here, "..", "..", *%s.split("/")))
sys.argv[0] = script
sys.path.insert(0, os.path.dirname(script))
runpy.run_path(script, run_name="__main__")
`, strconv.QuoteToASCII(j.script))
	case slices.Contains(j.programs, j.recipe.Script):
		fmt.Fprintf(&main, "program = os.path.join(packages, %q, %s)\nos.execv(program, [program] + sys.argv[1:])\n", binFolder, strconv.QuoteToASCII(j.recipe.Script))
	default:
		entry, err := findEntry(site, j.recipe.Script, j.recipe.Requires, j.programs)
		if err != nil {
			return "", err
		}
		j.module = entry.module
		name, _, _ := strings.Cut(entry.attr, ".")
		fmt.Fprintf(&main, "from %s import %s\n\nsys.argv[0] = %s\nsys.exit(%s())\n", entry.module, name, strconv.QuoteToASCII(j.recipe.Script), entry.attr)
	}
	b.WriteString("if __name__ == \"__main__\":\n")
	for line := range strings.Lines(main.String()) {
		if line != "\n" {
			line = "    " + line
		}
		b.WriteString(line)
	}
	return b.String(), nil
}
