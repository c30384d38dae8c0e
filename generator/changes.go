package generator

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// A ConflictError names every path that writing was refused for. Nothing has been written.
type ConflictError struct {
	Changes []Change // each a Conflict
}

func (e *ConflictError) Error() string {
	whys := make([]string, len(e.Changes))
	for i, c := range e.Changes {
		whys[i] = c.Why
	}
	if len(whys) == 1 {
		return "1 file is in the way: " + whys[0]
	}
	return fmt.Sprintf("%d files are in the way: %s", len(whys), strings.Join(whys, "; "))
}

// Changes tells what Write would do to dir, with force or without: a line for each planned file in the
// order of the plan, and then one for each file that would go. It changes nothing; conflicts are among
// the lines and not an error. A dir that does not exist yet is an empty one.
func (p *Plan) Changes(dir string, mode Mode, force bool) ([]Change, error) {
	root, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	if root != nil {
		defer root.Close()
	}
	steps, err := p.steps(root, mode)
	if err != nil {
		return nil, err
	}
	settle(steps, force) // what is in the way is told, whatever it says
	return changesOf(steps), nil
}

// A step is a change with what is needed to make it, and to take it back.
type step struct {
	Change
	file     File
	found    entry
	forcible bool // a Conflict that force turns into an Update
}

func changesOf(steps []step) []Change {
	cs := make([]Change, len(steps))
	for i, s := range steps {
		cs[i] = s.Change
	}
	return cs
}

// steps compares the plan with what root holds; a nil root holds nothing.
func (p *Plan) steps(root *os.Root, mode Mode) ([]step, error) {
	if mode == Generate {
		if err := isProject(root); err != nil {
			return nil, err
		}
		if err := p.stale(root); err != nil {
			return nil, err
		}
	}
	sums, err := writtenSums(root)
	if err != nil {
		return nil, err
	}
	var steps []step
	for _, f := range p.Files {
		s := step{Change: Change{Path: f.Path}, file: f}
		if s.found, err = look(root, f.Path); err != nil {
			return nil, err
		}
		s.decide(mode, sums)
		if s.Action == Keep && s.Path == settingsPath {
			s.addKey(p.addedKey)
		}
		steps = append(steps, s)
	}
	refused, err := p.functionsInTheWay(root)
	if err != nil {
		return nil, err
	}
	for _, path := range refused {
		why := path + " was not written by mcpfunc, so it is kept; with it the host refuses the routes of host.json"
		steps = append(steps, step{Change: Change{Path: path, Action: Conflict, Why: why}})
	}
	for _, path := range p.Prune {
		s := step{Change: Change{Path: path, Action: Remove}}
		if s.found, err = look(root, path); err != nil {
			return nil, err
		}
		if s.found.exists && s.found.blocked == "" {
			steps = append(steps, s)
		}
	}
	return steps, nil
}

// decide picks the action for one planned file.
func (s *step) decide(mode Mode, sums map[string]string) {
	switch f := s.found; {
	case mode == Generate && f.exists && s.file.Owner == Yours:
		s.Action = Keep // a link or a directory too: it is not ours to mind
	case f.blocked != "":
		s.Action, s.Why = Conflict, f.blocked
	case !f.exists:
		s.Action = Create
	case bytes.Equal(f.data, s.file.Data):
		s.Action = Unchanged
	case mode == Init:
		s.Action, s.Why, s.forcible = Conflict, s.Path+" exists and differs", true
	case isCarried(s.Path) && s.Path != sumsPath && sums[s.Path] != sum(f.data):
		s.Action, s.Why, s.forcible = Conflict, s.Path+" was edited", true
	default:
		s.Action = Update
	}
}

func isCarried(path string) bool { return strings.HasPrefix(path, carriedDir+"/") }

// writtenSums returns what SHA256SUMS of the project says of the carried files, empty without one.
func writtenSums(root *os.Root) (map[string]string, error) {
	e, err := look(root, sumsPath)
	return parseSums(e.data), err
}
