// Package image pins the base images of a Dockerfile by digest: it finds them in the text, and asks their registries.
package image

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// A Base is an image that a Dockerfile names.
type Base struct {
	Name string // as it is written: NAME[:TAG][@DIGEST]
	Line int    // of Name, from 1

	start, end int // of Name in the Dockerfile
}

// Pinned reports whether the digest is part of the name.
func (b Base) Pinned() bool { return strings.Contains(b.Name, "@") }

var (
	argument = regexp.MustCompile(`(?i)^\s*ARG\s+(\w+)=["']?([^\s"']+)`)
	from     = regexp.MustCompile(`(?i)^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?`)
	copied   = regexp.MustCompile(`(?i)^\s*COPY\s+(?:--\S+\s+)*?--from=(\S+)`)
	variable = regexp.MustCompile(`^\$\{?(\w+)\}?$`)
	number   = regexp.MustCompile(`^[0-9]+$`)
)

// Bases returns the images that the FROM and COPY instructions of a Dockerfile name, each once, in their order. If a name is
// a build argument, the image is its default value. Names with a build argument among other text are left out.
func Bases(dockerfile []byte) []Base {
	var all []Base
	stages := []string{"scratch"}
	defaults := map[string]Base{}
	for at, line := range numbered(dockerfile) {
		group := func(m []int, n int) Base {
			return Base{string(line[m[2*n]:m[2*n+1]]), at.line, at.offset + m[2*n], at.offset + m[2*n+1]}
		}
		if m := argument.FindSubmatchIndex(line); m != nil {
			defaults[group(m, 1).Name] = group(m, 2)
			continue
		}
		m, stage := from.FindSubmatchIndex(line), ""
		switch {
		case m == nil:
			m = copied.FindSubmatchIndex(line)
		case m[4] >= 0:
			stage = group(m, 2).Name
		}
		if m == nil {
			continue
		}
		base := group(m, 1)
		if v := variable.FindStringSubmatch(base.Name); v != nil {
			base = defaults[v[1]]
		}
		isStage := slices.ContainsFunc(stages, func(s string) bool { return strings.EqualFold(s, base.Name) })
		if base.Name != "" && !strings.Contains(base.Name, "$") && !isStage && !number.MatchString(base.Name) && !slices.Contains(all, base) {
			all = append(all, base)
		}
		if stage != "" {
			stages = append(stages, stage)
		}
	}
	return all
}

// A position is where a line begins.
type position struct{ line, offset int }

// numbered yields the lines of text.
func numbered(text []byte) func(func(position, []byte) bool) {
	return func(yield func(position, []byte) bool) {
		at := position{line: 1}
		for line := range bytes.Lines(text) {
			if !yield(at, line) {
				return
			}
			at.line, at.offset = at.line+1, at.offset+len(line)
		}
	}
}
