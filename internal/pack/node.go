package pack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// npmFlags make npm install for the platform whatever this machine is, and ask for nothing else.
var npmFlags = []string{"--os=linux", "--libc=glibc", "--omit=dev", "--no-audit", "--no-fund", "--no-update-notifier", "--no-progress", "--loglevel=error"}

// A packageJSON is the part of a package.json that matters here.
type packageJSON struct {
	Name         string            `json:"name"`
	Version      string            `json:"version,omitempty"`
	Private      bool              `json:"private,omitempty"`
	Dependencies map[string]string `json:"dependencies,omitempty"`
	Bin          json.RawMessage   `json:"bin,omitempty"`
}

// lockNode resolves packages into a package-lock.json in dir, every one with its version and hash
// and without the address of the registry, which is the machine's own affair.
func (r *run) lockNode(ctx context.Context, dir string, requires, options []string) error {
	m := packageJSON{Name: "packed", Private: true, Dependencies: map[string]string{}}
	for _, require := range requires {
		name, version := splitNPM(require)
		m.Dependencies[name] = version
	}
	if err := writeJSON(filepath.Join(dir, packageName), m); err != nil {
		return err
	}
	args := append([]string{"install", "--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved"}, npmFlags...)
	if err := r.npm(ctx, dir, append(args, options...)); err != nil {
		return err
	}
	lock, err := readPackageLock(dir)
	if err != nil {
		return err
	}
	for _, p := range lock.packages() {
		if p.Integrity == "" && !p.InBundle {
			return refuse("use a release whose dependencies are releases", "%s has no hash, from %s", p.name(), p.Resolved)
		}
	}
	return nil
}

// installModules installs exactly what the lock in dir says, into its node_modules.
func (r *run) installModules(ctx context.Context, j *job, dir string, options []string) error {
	args := append([]string{"ci", "--no-bin-links"}, npmFlags...)
	if !r.lock.Scripts {
		args = append(args, "--ignore-scripts")
	}
	if err := r.npm(ctx, dir, append(args, options...)); err != nil {
		return err
	}
	lock, err := readPackageLock(dir)
	if err != nil {
		return err
	}
	for _, p := range lock.packages() {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(p.path))); err == nil && p.HasInstallScript && !r.lock.Scripts {
			j.unbuilt = append(j.unbuilt, p.name())
			r.note(j.name, "%s has an install script, which was not run; use --scripts to run it", p.name())
		}
	}
	err = os.Remove(filepath.Join(dir, "node_modules", ".package-lock.json")) // npm's own
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there are no modules at all
	}
	return err
}

// installNode installs a server and finds the script that is run.
func (r *run) installNode(ctx context.Context, j *job) (packmanifest.Start, error) {
	start := packmanifest.Start{Interpreter: packmanifest.Node, Flags: j.recipe.Flags, Replaces: j.recipe.Replaces}
	if r.lock.Node != "" {
		start.Program = nodeFolder
	}
	switch {
	case j.recipe.File != "" && j.appDir == "":
		start.Script = j.script
		return start, nil
	case j.recipe.File != "":
		// Modules are found from the script's own folder upward, so it comes along.
		app := filepath.Join(j.treeDir, "app")
		if err := copyTree(app, filepath.Join(r.opts.Dir, j.appDir), "node_modules", ".git"); err != nil {
			return start, err
		}
		rel, err := filepath.Rel(j.appDir, filepath.FromSlash(j.script))
		start.Script = path.Join(packmanifest.Folder, j.name, "app", filepath.ToSlash(rel))
		return start, errors.Join(err, r.installModules(ctx, j, app, j.recipe.Options))
	}
	for _, name := range []string{packageName, packageLockName} {
		if err := copyFile(filepath.Join(j.treeDir, name), filepath.Join(j.lockDir, name), 0o644); err != nil {
			return start, err
		}
	}
	if err := r.installModules(ctx, j, j.treeDir, j.recipe.Options); err != nil {
		return start, err
	}
	script, err := findBin(j.treeDir, j.recipe.Requires, j.recipe.Script)
	if err != nil {
		return start, err
	}
	start.Script = path.Join(packmanifest.Folder, j.name, script)
	flags, err := shebang(filepath.Join(j.treeDir, filepath.FromSlash(script)))
	start.Flags = append(flags, start.Flags...)
	// The lock stays where it is committed.
	return start, errors.Join(err, os.Remove(filepath.Join(j.treeDir, packageName)), os.Remove(filepath.Join(j.treeDir, packageLockName)))
}

// findBin returns the script behind a bin, slash-separated from dir. Without a name it is the one
// that npm exec would choose: the only one, or the one called as the package is without its scope.
func findBin(dir string, requires []string, bin string) (string, error) {
	var offered []string
	for _, require := range requires {
		name, _ := splitNPM(require)
		folder := path.Join("node_modules", name)
		bins, err := readBins(filepath.Join(dir, filepath.FromSlash(folder)))
		if err != nil {
			return "", err
		}
		want := bin
		if want == "" {
			if want = path.Base(name); len(distinct(bins)) == 1 {
				return inPackage(folder, distinct(bins)[0])
			}
		}
		if script, ok := bins[want]; ok {
			return inPackage(folder, script)
		}
		for name := range bins {
			offered = append(offered, name)
		}
	}
	if len(offered) == 0 {
		return "", refuse("", "%s has nothing to run", strings.Join(requires, ", "))
	}
	slices.Sort(offered)
	return "", refuse(fmt.Sprintf("npx -p %s %s", requires[0], offered[0]),
		"%s does not say which of %s to run", strings.Join(requires, ", "), strings.Join(offered, ", "))
}

func inPackage(folder, script string) (string, error) {
	clean := path.Clean(strings.TrimPrefix(script, "/"))
	if !fs.ValidPath(clean) || clean == "." {
		return "", fmt.Errorf("the bin %q is outside its package", script)
	}
	return path.Join(folder, clean), nil
}

// distinct returns the different scripts among bins.
func distinct(bins map[string]string) []string {
	var scripts []string
	for _, s := range bins {
		if !slices.Contains(scripts, s) {
			scripts = append(scripts, s)
		}
	}
	return scripts
}

// readBins returns the bins of a package: "bin" is an object, or one script called as the package is
// without its scope.
func readBins(dir string) (map[string]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, packageName))
	if err != nil {
		return nil, err
	}
	var m packageJSON
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%s of %s: %w", packageName, filepath.Base(dir), err)
	}
	bins := map[string]string{}
	if len(m.Bin) == 0 {
		return bins, nil
	}
	var one string
	if json.Unmarshal(m.Bin, &one) == nil {
		bins[path.Base(m.Name)] = one
		return bins, nil
	}
	return bins, json.Unmarshal(m.Bin, &bins)
}

// shebang returns the options of node in the first line of a script. A script of something else
// cannot run here.
func shebang(file string) (flags []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 256)
	n, _ := f.Read(head)
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	if strings.HasPrefix(line, "\x7fELF") {
		return nil, refuse(hintLeave, "%s is a program, not a script for node", filepath.Base(file))
	}
	if !strings.HasPrefix(line, "#!") {
		return nil, nil
	}
	words := strings.Fields(line[2:])
	for i, word := range words {
		if path.Base(word) == "node" {
			return words[i+1:], nil
		}
	}
	return nil, refuse(hintLeave, "%s is not a script for node: %s", filepath.Base(file), strings.TrimSpace(line))
}

func (r *run) npm(ctx context.Context, dir string, args []string) error {
	npm, err := findTool("npm", r.opts.Env)
	if err != nil {
		return err
	}
	// npm waits for more than a minute in between where there is no network, unless it is told otherwise.
	npm.env = append([]string{"npm_config_fetch_retry_mintimeout=1000", "npm_config_fetch_retry_maxtimeout=10000"}, npm.env...)
	if r.opts.Offline {
		npm.env = append(npm.env, "npm_config_offline=true")
	}
	_, err = npm.run(ctx, dir, append(args, "--cpu="+r.lock.target().cpu)...)
	return err
}

// A packageLock is a package-lock.json of version 2 or 3.
type packageLock struct {
	Packages map[string]*lockedPackage `json:"packages"`
}

// A lockedPackage is one package of it.
type lockedPackage struct {
	path string // node_modules/...

	Name             string          `json:"name"`
	Version          string          `json:"version"`
	Resolved         string          `json:"resolved"`
	Integrity        string          `json:"integrity"`
	License          json.RawMessage `json:"license"`
	HasInstallScript bool            `json:"hasInstallScript"`
	InBundle         bool            `json:"inBundle"`
	Link             bool            `json:"link"`
	Dev              bool            `json:"dev"`
}

// name is the package's own: an alias is installed under another.
func (p *lockedPackage) name() string {
	if p.Name != "" {
		return p.Name
	}
	return p.path[strings.LastIndex(p.path, "node_modules/")+len("node_modules/"):]
}

func readPackageLock(dir string) (*packageLock, error) {
	data, err := os.ReadFile(filepath.Join(dir, packageLockName))
	if err != nil {
		return nil, err
	}
	l := new(packageLock)
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("%s: %w", packageLockName, err)
	}
	return l, nil
}

// packages returns the packages in the order of their paths, but not the project itself, links in
// it, and what is for developing alone.
func (l *packageLock) packages() []*lockedPackage {
	var all []*lockedPackage
	for path, p := range l.Packages {
		if strings.Contains(path, "node_modules/") && !p.Link && !p.Dev {
			p.path = path
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *lockedPackage) int { return strings.Compare(a.path, b.path) })
	return all
}
