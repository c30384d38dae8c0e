package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
)

// Functions finds the function.json files of the user's that keep the host from serving ours: those that
// put the whole host into its state "Error", those that the host leaves out, and those that come before
// ours and take their requests.
func (p *Project) Functions() []Finding {
	if p.plain {
		return nil
	}
	app, err := hostemu.Load(p.Dir, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist): // host.json, which generate writes
		return nil
	case err != nil:
		return []Finding{failed("host.json", "mcpfunc generate", err)}
	}
	return p.functions(app)
}

func (p *Project) functions(app *hostemu.App) []Finding {
	const name = "functions"
	var all []Finding
	ours := p.ownFunctions()
	switch {
	case app.Fault != nil:
		all = append(all, failure(name, "correct the route, or remove the function", "the host answers every request with 503: %v", app.Fault))
	case app.Profile != "": // functions are those of host.json, which is ours
	default:
		for _, o := range p.overlaps(app, ours) {
			all = append(all, failure(name,
				fmt.Sprintf("give it a route that does not match %s, or rename its folder so that it sorts after %s", o.path, slices.Max(o.victims)),
				"%s/function.json: the route %q (%s) takes the requests of %s, such as %s %s: the host matches functions in the order of their names",
				o.taker.Name, o.taker.Route, o.taker.AuthLevel, strings.Join(o.victims, ", "), o.method, o.path))
		}
	}
	for _, d := range app.Dropped {
		hint := "correct the file, or remove its folder"
		if slices.Contains(ours, d.Name) {
			hint = "give the other function another route; if a generated one was edited, run mcpfunc generate"
		}
		all = append(all, failure(name, hint, "the host skips function %s: %v", d.Name, d.Err))
	}
	return all
}

// ownFunctions returns the names of the functions that mcpfunc writes for this project.
func (p *Project) ownFunctions() []string {
	var names []string
	for _, a := range p.addresses() {
		if !slices.Contains(names, a.Function) {
			names = append(names, a.Function)
		}
	}
	return names
}

// addresses returns what the handler serves.
func (p *Project) addresses() []generator.Address {
	made := p.made
	made.Config = p.File
	return made.Addresses()
}

// An overlap is a function that takes requests which functions of ours are for.
type overlap struct {
	taker        hostemu.Function
	victims      []string // names of ours
	method, path string   // one of the requests
}

// overlaps asks the host's router, for every request that the handler serves, where it goes. Only names that
// are ours letter by letter are: the host takes Metrics for another folder than metrics.
func (p *Project) overlaps(app *hostemu.App, ours []string) []overlap {
	var all []overlap
	for _, a := range p.addresses() {
		for _, path := range spellings(a.Path) {
			for _, method := range a.Methods {
				f, ok := app.Match(method, path)
				if !ok || slices.Contains(ours, f.Name) {
					continue
				}
				i := slices.IndexFunc(all, func(o overlap) bool { return o.taker.Name == f.Name })
				if i < 0 {
					i, all = len(all), append(all, overlap{taker: f, method: method, path: path})
				}
				if !slices.Contains(all[i].victims, a.Function) {
					all[i].victims = append(all[i].victims, a.Function)
				}
			}
		}
	}
	return all
}

// spellings returns path and others by which the handler serves the same: neither case nor one slash at the
// end count there, and a template of somebody else's may tell them apart.
func spellings(path string) []string {
	all := []string{path, strings.ToLower(path), strings.ToUpper(path)}
	if path != "/" {
		for _, s := range slices.Clone(all) {
			all = append(all, s+"/")
		}
	}
	return all
}
