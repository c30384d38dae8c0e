package pack

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// forkName is the file that names what is imported before a server is forked: in the lock, since it was found by
// trying and is to be the same wherever that cannot be repeated, and among the server's own.
const forkName = "fork.txt"

// A Fork is an interpreter that imports modules, to be forked, and what these were found to do.
type Fork struct {
	Modules string   // a file that names them
	Reads   []string // variables; "*" stands for all
	Random  []string // modules that drew random numbers
}

// A ForkReport says whether the processes of a server are forked.
type ForkReport struct {
	Modules int      `json:"modules,omitempty"` // how many are imported before; 0 for one that is not forked
	Reads   []string `json:"reads,omitempty"`   // variables that imports read: of callers for whom they differ nothing is forked
	Random  []string `json:"random,omitempty"`  // modules whose random numbers all processes share
	Why     string   `json:"why,omitempty"`     // it is not
}

// allVariables is a line of the list that says that imports may have read any variable, which nobody sees at the start.
const allVariables = "*"

// addFork takes over the list of a lock that stands.
func (r *run) addFork(j *job, start *packmanifest.Start) error {
	data, err := os.ReadFile(filepath.Join(j.lockDir, forkName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	start.Fork = path.Join(packmanifest.Folder, j.name, forkName)
	j.report.Fork = &ForkReport{Modules: countModules(data)}
	return os.WriteFile(filepath.Join(j.treeDir, forkName), data, 0o644)
}

// tryFork finds out whether a server that has answered with these tools can be forked: imported is what it had
// imported by then. Whatever goes wrong is a reason to start it in the ordinary way.
// Where it can, target is forked from then on.
func (r *run) tryFork(ctx context.Context, j *job, target *Target, seal *sealed, imported []string, tools []Tool) error {
	list, err := os.ReadFile(filepath.Join(j.lockDir, forkName))
	if err != nil { // else it was found before, for the same packages
		modules := r.shareable(j, imported)
		list = []byte(strings.Join(modules, "\n") + "\n")
		if len(modules) == 0 {
			j.noFork = "it imports only its own modules"
		}
	}
	if j.noFork == "" {
		target.Fork = &Fork{Modules: filepath.Join(r.work, j.name+"-"+forkName)}
		if err := os.WriteFile(target.Fork.Modules, list, 0o644); err != nil {
			return err
		}
		got, err := r.opts.Probe(ctx, *target)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch changes := toolChanges(tools, got); {
		case err != nil:
			j.noFork = err.Error()
		case len(changes) > 0:
			j.noFork = fmt.Sprintf("its fork has different tools: %s is %s", changes[0].Name, changes[0].What)
		}
		changed, err := seal.changed()
		if err != nil {
			return err
		}
		if len(changed) > 0 {
			return writeError(changed)
		}
	}
	if j.noFork != "" {
		target.Fork = nil
		j.report.Fork = &ForkReport{Why: j.noFork}
		r.note(j.name, "is not started as a fork: %s", j.noFork)
		return nil
	}
	if slices.Contains(target.Fork.Reads, allVariables) && !bytes.HasPrefix(list, []byte(allVariables+"\n")) {
		list = append([]byte(allVariables+"\n"), list...)
	}
	j.fork = list
	j.report.Fork = &ForkReport{Modules: countModules(list), Reads: target.Fork.Reads, Random: target.Fork.Random}
	r.note(j.name, "is started as a fork, with %s already imported", plural(j.report.Fork.Modules, "module"))
	return nil
}

func countModules(list []byte) int {
	return bytes.Count(bytes.TrimPrefix(list, []byte(allVariables+"\n")), []byte("\n"))
}

// keepForks writes down what was found. The stage must be writable again.
func (r *run) keepForks() error {
	tried := false
	for _, j := range r.jobs {
		if j.fork == nil && j.noFork == "" {
			continue // nobody tried
		}
		tried = true
		server := r.file.Servers[j.name]
		was := server.Start.Fork
		inLock, inTree := filepath.Join(j.lockDir, forkName), filepath.Join(j.treeDir, forkName)
		var err error
		if j.fork != nil {
			server.Start.Fork = path.Join(packmanifest.Folder, j.name, forkName)
			err = errors.Join(os.WriteFile(inLock, j.fork, 0o644), os.WriteFile(inTree, j.fork, 0o644))
		} else {
			server.Start.Fork = ""
			err = errors.Join(os.RemoveAll(inLock), os.RemoveAll(inTree))
		}
		if err == nil && server.Start.Fork != was {
			if server.Tree, err = packmanifest.TreeSum(j.treeDir); err == nil {
				j.report.Bytes, j.report.Files, err = treeSize(j.treeDir)
			}
		}
		if err != nil {
			return err
		}
		r.file.Servers[j.name] = server
	}
	if !tried {
		return nil
	}
	return r.write()
}

var moduleName = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$`)

// shareable returns what of imported is neither the server's own nor anything of the project: modules of other
// packages and of the standard library.
func (r *run) shareable(j *job, imported []string) []string {
	site := filepath.Join(j.treeDir, sitePackages)
	own := ownModules(site, j.recipe.Requires, j.module)
	folders := []string{filepath.Join(r.opts.Dir, j.dir)}
	if j.script != "" {
		folders = append(folders, filepath.Dir(filepath.Join(r.opts.Dir, filepath.FromSlash(j.script))))
	}
	var modules []string
	for _, name := range imported {
		top, _, _ := strings.Cut(name, ".")
		switch {
		case !moduleName.MatchString(name), top == "__main__", top == "sitecustomize", top == "usercustomize":
		case own[name], slices.Contains(modules, name):
		case slices.ContainsFunc(folders, func(dir string) bool { return isModule(dir, top) }):
		case isModule(site, top) && !isModule(site, strings.ReplaceAll(name, ".", "/")): // made up by its package
		default:
			modules = append(modules, name)
		}
	}
	return modules
}

// isModule reports whether a folder has a module or package of that name, with slashes.
func isModule(dir, name string) bool {
	file := filepath.Join(dir, filepath.FromSlash(name))
	if _, err := os.Stat(file); err == nil {
		return true
	}
	found, _ := filepath.Glob(file + ".*")
	return slices.ContainsFunc(found, func(f string) bool { return strings.HasSuffix(f, ".py") || strings.HasSuffix(f, ".so") })
}

// ownModules returns the modules of the packages that were asked for, and of the one that has the module main.
func ownModules(site string, requires []string, main string) map[string]bool {
	var asked []string
	for _, requirement := range requires {
		asked = append(asked, normalName(requirementName(requirement)))
	}
	own := map[string]bool{main: true}
	records, _ := filepath.Glob(filepath.Join(site, "*.dist-info", "RECORD"))
	for _, record := range records {
		data, err := os.ReadFile(record)
		if err != nil {
			continue
		}
		dist, _, _ := strings.Cut(filepath.Base(filepath.Dir(record)), "-")
		modules := recorded(data)
		if slices.Contains(asked, normalName(dist)) || slices.Contains(modules, main) {
			for _, m := range modules {
				own[m] = true
			}
		}
	}
	return own
}

// recorded returns the modules among the files of a RECORD (packaging.python.org, "Recording installed projects").
func recorded(data []byte) (modules []string) {
	rows := csv.NewReader(bytes.NewReader(data))
	rows.FieldsPerRecord = -1
	all, _ := rows.ReadAll()
	for _, row := range all {
		file := row[0]
		switch path.Ext(file) {
		case ".py":
			file = strings.TrimSuffix(strings.TrimSuffix(file, ".py"), "/__init__")
		case ".so":
			folder, base := path.Split(file)
			base, _, _ = strings.Cut(base, ".")
			file = folder + base
		default:
			continue
		}
		if name := strings.ReplaceAll(file, "/", "."); moduleName.MatchString(name) {
			modules = append(modules, name)
		}
	}
	return modules
}
