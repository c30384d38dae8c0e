package generator

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// Stale fills p.Prune with what earlier plans left in dir and this one does not hold: the
// function.json of a server that is gone, files that the carried runtime no longer has. Only what is
// recognisably ours counts: a function.json that is byte for byte what a plan writes into a folder of
// that name, at whatever level, and a carried file that is what SHA256SUMS says it was.
//
// Changes and Write do this themselves in mode Generate.
func (p *Plan) Stale(dir string) error {
	root, err := openRoot(dir)
	if root == nil {
		return err
	}
	defer root.Close()
	return p.stale(root)
}

func (p *Plan) stale(root *os.Root) error {
	p.Prune = nil
	functions, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return fmt.Errorf("look for old functions: %w", err)
	}
	for _, d := range functions {
		path := function{Name: d.Name()}.path()
		if !d.IsDir() || p.holds(path) || len(renderings(d.Name())) == 0 {
			continue
		}
		e, err := look(root, path)
		if err != nil {
			return fmt.Errorf("look for old functions: %w", err)
		}
		if isOurs(d.Name(), e.data) {
			p.Prune = append(p.Prune, path)
		}
	}
	sums, err := writtenSums(root)
	if err != nil {
		return fmt.Errorf("look for old runtime files: %w", err)
	}
	for path, want := range sums {
		if p.holds(path) {
			continue
		}
		e, err := look(root, path)
		if err != nil {
			return fmt.Errorf("look for old runtime files: %w", err)
		}
		if e.exists && e.blocked == "" && sum(e.data) == want {
			p.Prune = append(p.Prune, path)
		}
	}
	slices.Sort(p.Prune)
	return nil
}

// functionsInTheWay returns every function.json of root that stays and must not, as host.json holds
// the routes: one of somebody else, or one of ours that was edited.
func (p *Plan) functionsInTheWay(root *os.Root) ([]string, error) {
	if !p.routesInHost || root == nil {
		return nil, nil
	}
	paths, err := fs.Glob(root.FS(), function{Name: "*"}.path())
	if err != nil {
		return nil, fmt.Errorf("look for functions: %w", err)
	}
	return slices.DeleteFunc(paths, func(path string) bool { return slices.Contains(p.Prune, path) }), nil
}
