package pack

import (
	"fmt"
	"slices"
	"strings"
)

// A Report says what a run did.
type Report struct {
	Platform string          `json:"platform"`
	Python   string          `json:"python"`
	Servers  []*ServerReport `json:"servers"`
	Dotnet   *RuntimeReport  `json:"dotnet,omitempty"` // the .NET that servers share; nil for none
}

// A RuntimeReport says what a run took along for servers to run on.
type RuntimeReport struct {
	Versions []string `json:"versions"`
	Servers  []string `json:"servers"`
	Files    int      `json:"files"`
	Bytes    int64    `json:"bytes"`
}

// A ServerReport says what a run did for one server.
type ServerReport struct {
	Name        string       `json:"name"`
	Kind        Kind         `json:"kind"`
	Resolved    bool         `json:"resolved"` // else installed from the lock as it was
	Packages    int          `json:"packages"`
	Files       int          `json:"files"`
	Bytes       int64        `json:"bytes"`
	Locked      []Locking    `json:"locked"`                 // what the command line asks for, and the version that it is
	PassedOver  []Change     `json:"passed_over,omitempty"`  // newer releases that a build would be needed for: Was, where Is was locked
	Changes     []Change     `json:"changes,omitempty"`      // of packages, when there was a lock before
	Fork        *ForkReport  `json:"fork,omitempty"`         // of a server in Python; nil when it was not tried
	Tools       *int         `json:"tools,omitempty"`        // how many; nil when the server was not asked
	ToolChanges []ToolChange `json:"tool_changes,omitempty"` // when it is known what they were
}

// installed says in words what there is now.
func (s *ServerReport) installed() string {
	if s.Packages == 0 {
		return "in place"
	}
	return fmt.Sprintf("installed %s, %.1f MB", plural(s.Packages, "package"), float64(s.Bytes)/1e6)
}

// A Locking is a package that was asked for, with the version that is locked for it.
type Locking struct {
	Package string `json:"package"`
	Version string `json:"version"`
}

func (l Locking) String() string { return l.Package + " " + l.Version }

// A Change is a package whose version is another, or that came or went.
type Change struct {
	Package string `json:"package"`
	Was     string `json:"was,omitempty"` // empty for one that came
	Is      string `json:"is,omitempty"`  // empty for one that went
}

func (c Change) String() string {
	switch {
	case c.Was == "":
		return fmt.Sprintf("+ %s %s", c.Package, c.Is)
	case c.Is == "":
		return fmt.Sprintf("- %s %s", c.Package, c.Was)
	}
	return fmt.Sprintf("  %s %s, was %s", c.Package, c.Is, c.Was)
}

// lockings returns those of the packages that were asked for, in their order. npm may have one in several
// versions: the requested one is on top.
func lockings(kind Kind, requires []string, all []component) []Locking {
	list := []Locking{}
	for _, require := range requires {
		i := slices.IndexFunc(all, func(c component) bool {
			switch kind {
			case KindPython:
				return c.name == normalName(requirementName(require))
			case KindNode:
				name, _ := splitNPM(require)
				return c.path == "node_modules/"+name
			}
			name, _, _ := strings.Cut(require, "@")
			return strings.EqualFold(c.name, name)
		})
		if i >= 0 {
			list = append(list, Locking{all[i].name, all[i].version})
		}
	}
	return list
}

// changes compares packages by name. Of a package in several versions, each counts.
func changes(before, after []component) []Change {
	var list []Change
	index := func(in []component, c component) bool {
		return slices.ContainsFunc(in, func(d component) bool { return c.name == d.name && c.version == d.version })
	}
	var gone, came []component
	for _, c := range before {
		if !index(after, c) && !index(gone, c) {
			gone = append(gone, c)
		}
	}
	for _, c := range after {
		if !index(before, c) && !index(came, c) {
			came = append(came, c)
		}
	}
	for _, c := range came {
		change := Change{Package: c.name, Is: c.version}
		if i := slices.IndexFunc(gone, func(d component) bool { return d.name == c.name }); i >= 0 {
			change.Was = gone[i].version
			gone = slices.Delete(gone, i, i+1)
		}
		list = append(list, change)
	}
	for _, c := range gone {
		list = append(list, Change{Package: c.name, Was: c.version})
	}
	slices.SortFunc(list, func(a, b Change) int { return strings.Compare(a.Package, b.Package) })
	return list
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
