package generator

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// An output is one file of a plan that a template renders.
type output struct {
	path, template string
	owner          Owner
}

// Plan returns the files that p should hold, sorted by path. It reads p.Runtime and nothing else.
// Its error says what of p cannot become a project; names of servers are checked here once more, as
// they turn into paths and routes.
func (p Project) Plan() (*Plan, error) {
	p, err := p.check()
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	carried, err := carry(p.Runtime, p.OTel)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if p.RuntimeVersion != "" {
		carried.files, carried.requires, carried.sums = nil, nil, nil
	}
	s := scaffold{Project: p, Requires: carried.requires, GoVersion: carried.goVersion}

	files := []File{
		{Path: "mcp_config.json", Data: p.ConfigData, Owner: Yours},
		{Path: "go.sum", Data: carried.sums, Owner: Yours},
	}
	files = append(files, carried.files...)
	outputs := append([]output{
		{"main.go", "main.go.tmpl", Yours},
		{"go.mod", "go.mod.tmpl", Yours},
		{"README.md", "README.md.tmpl", Yours},
		{".funcignore", "funcignore.tmpl", Yours},
		{".gitignore", "gitignore.tmpl", Yours},
		{"host.json", "host.json.tmpl", Ours},
	}, p.Extras.outputs(s)...)
	if p.SessionKey != "" {
		outputs = append(outputs, output{settingsPath, "local.settings.json.tmpl", Yours})
	}
	for _, out := range outputs {
		data, err := render(out.template, s)
		if err != nil {
			return nil, fmt.Errorf("plan: %s: %w", out.path, err)
		}
		files = append(files, File{Path: out.path, Data: data, Owner: out.owner})
	}
	if p.Hosting == HostingCustom {
		for _, f := range p.functions() {
			data, err := render("function.json.tmpl", f)
			if err != nil {
				return nil, fmt.Errorf("plan: %s: %w", f.path(), err)
			}
			files = append(files, File{Path: f.path(), Data: data, Owner: Ours})
		}
	}

	for i := range files {
		files[i].Mode = 0o644
		if files[i].Path == settingsPath {
			files[i].Mode = 0o600
		}
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	plan := &Plan{Files: files, routesInHost: p.Hosting == HostingFlex}
	if p.AddSessionKey {
		plan.addedKey = p.SessionKey
	}
	if err := plan.check(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return plan, nil
}

// check holds the plan to paths that mean one file on every system: none absolute or with "..", and
// no two that differ only in case.
func (p *Plan) check() error {
	seen := map[string]string{}
	for _, f := range p.Files {
		if !fs.ValidPath(f.Path) || strings.ContainsAny(f.Path, `\:`) {
			return fmt.Errorf("%q is not a path inside the project", f.Path)
		}
		fold := strings.ToLower(f.Path)
		if other, taken := seen[fold]; taken {
			return fmt.Errorf("%s and %s are the same file where file names ignore case", other, f.Path)
		}
		seen[fold] = f.Path
	}
	return nil
}

// holds reports whether path is planned.
func (p *Plan) holds(path string) bool {
	_, found := slices.BinarySearchFunc(p.Files, path, func(f File, path string) int { return cmp.Compare(f.Path, path) })
	return found
}

// path is where the function is kept.
func (f function) path() string { return f.Name + "/function.json" }

// isOurs reports whether data is what some plan would have put into folder/function.json. A file
// that somebody has edited, or that an older template made, is not recognised, and so not removed.
func isOurs(folder string, data []byte) bool {
	for _, f := range renderings(folder) {
		if want, err := render("function.json.tmpl", f); err == nil && bytes.Equal(want, data) {
			return true
		}
	}
	return false
}
