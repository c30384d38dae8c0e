package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// Check says in what the configuration, the locks and what is packed do not fit each other, a line
// each; nothing when they do. It starts nothing and needs no network. Of the options it reads Dir,
// Servers, Env and Modules; the settings are those of the lock.
func Check(opts *Options) ([]string, error) {
	lock, err := ReadLock(opts.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return []string{"the project has never been packed"}, nil
	}
	if err != nil {
		return nil, err
	}
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }

	plans := map[string]*plan{}
	for _, s := range opts.Servers {
		list, err := plansOf(&Options{Dir: opts.Dir, Servers: []Server{s}, Env: opts.Env}, lock)
		if err != nil {
			say("%v", err)
			continue
		}
		plans[s.Name] = list[0]
		if was, ok := lock.Servers[s.Name]; !ok {
			say("server %q is not in the lock", s.Name)
		} else if !was.equal(list[0].locked) || !filesThere(opts.Dir, list[0]) {
			say("server %q: its lock is for a different command", s.Name)
		}
	}
	file, err := packmanifest.Load(opts.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		say("nothing has been packed from the lock yet")
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(lock.Servers)) {
		if !slices.ContainsFunc(opts.Servers, func(s Server) bool { return s.Name == name }) {
			say("server %q is in the lock but not in the configuration", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(file.Servers)) {
		if !slices.ContainsFunc(opts.Servers, func(s Server) bool { return s.Name == name }) {
			say("server %q is packed but not in the configuration", name)
		}
	}
	for _, s := range opts.Servers {
		if p := plans[s.Name]; p != nil && p.recipe.Kind != KindWritten {
			if text, err := checkServer(opts.Dir, lock, file, p); err != nil {
				return nil, err
			} else if text != "" {
				say("server %q: %s", s.Name, text)
			}
		}
	}
	if file.Dotnet != nil {
		if text, err := checkDotnet(opts.Dir, file.Dotnet); err != nil {
			return nil, err
		} else if text != "" {
			say("%s", text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(file.Programs)) {
		p := file.Programs[name]
		if sum, err := packmanifest.Sum(filepath.Join(opts.Dir, filepath.FromSlash(p.Path))); err != nil || sum != p.SHA256 {
			say("%s has changed since it was packed", p.Path)
		}
	}
	if want, err := pins(opts.Dir, lock); err != nil {
		return nil, err
	} else if have, err := packmanifest.LoadPins(opts.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	} else if !maps.EqualFunc(want, have, maps.Equal[map[string]string]) {
		say("%s/%s does not match the tools in %s", packmanifest.Folder, packmanifest.PinsName, LockFolder)
	}
	sbom, err := bom(opts.Dir, lock, file, opts.Modules)
	if err != nil {
		return nil, err
	}
	if have, err := os.ReadFile(filepath.Join(opts.Dir, SBOMName)); err != nil || !bytes.Equal(have, sbom) {
		say("%s does not match the packed files", SBOMName)
	}
	return found, nil
}

// checkServer says what does not fit between a server's lock and what is packed for it.
func checkServer(dir string, lock *Lock, file *packmanifest.File, p *plan) (string, error) {
	server, ok := file.Servers[p.name]
	if !ok {
		return "is not packed", nil
	}
	if !server.From.Equal(p.from) {
		return "was packed from a different command line", nil
	}
	sum, err := lock.digest(dir, p.name)
	if err != nil {
		return "", err
	}
	if server.Lock != sum {
		return "was packed from a different lock", nil
	}
	if server.Tree == "" {
		return "", nil
	}
	tree, err := packmanifest.TreeSum(filepath.Join(dir, packmanifest.Folder, p.name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if tree != server.Tree {
		return fmt.Sprintf("%s/%s has changed since it was packed", packmanifest.Folder, p.name), nil
	}
	return "", nil
}
