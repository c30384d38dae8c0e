package nuget

import (
	"strings"
)

// A Range says which versions of a package are meant. The zero value means the newest stable one.
type Range struct {
	text     string
	exact    *Version
	floating *floating
	interval *interval
}

// A floating is a form with a star: the newest that fits is meant.
type floating struct {
	fixed    [4]int
	count    int    // of the numbers that are fixed
	unstable bool   // prereleases fit, whose labels begin with prefix
	prefix   string // in lower case
}

// An interval has bounds, and a nil bound is open: the oldest that fits is meant, as NuGet has it.
type interval struct {
	low, high       *Version
	lowIn, highIn   bool
	prereleaseBound bool
}

// Newest is the range of all versions, with prereleases if that is wanted.
func Newest(prerelease bool) Range {
	if prerelease {
		return Range{text: "*-*", floating: &floating{unstable: true}}
	}
	return Range{}
}

// Exactly is the range of one version.
func Exactly(v Version) Range { return Range{text: v.String(), exact: &v} }

// ParseRange reads what dnx takes after the "@": a version, which means that one and no other, a floating
// one (1.2.*, 1.0.0-*, *), or an interval ([1.0,2.0)).
func ParseRange(text string) (Range, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return Range{}, nil
	case strings.HasPrefix(text, "[") || strings.HasPrefix(text, "("):
		return parseInterval(text)
	case strings.Contains(text, "*"):
		return parseFloating(text)
	}
	v, err := ParseVersion(text)
	if err != nil {
		return Range{}, invalidRange(text)
	}
	return Range{text: text, exact: &v}, nil
}

func invalidRange(text string) error {
	return failure("", "invalid version %q: want one as in 1.2.3, a floating one as in 1.2.* or 1.0.0-*, or an interval as in [1.0,2.0)", text)
}

func parseFloating(text string) (Range, error) {
	numbers, label, labelled := strings.Cut(text, "-")
	f := &floating{unstable: labelled}
	numbers, starred := strings.CutSuffix(numbers, "*")
	if starred && numbers != "" {
		var dotted bool
		if numbers, dotted = strings.CutSuffix(numbers, "."); !dotted {
			return Range{}, invalidRange(text)
		}
	}
	if labelled {
		prefix, open := strings.CutSuffix(label, "*")
		if !open || strings.Contains(prefix, "*") {
			return Range{}, invalidRange(text)
		}
		f.prefix = strings.ToLower(prefix)
	}
	if numbers != "" {
		v, err := ParseVersion(numbers)
		if err != nil || v.Prerelease() || strings.Contains(numbers, "+") {
			return Range{}, invalidRange(text)
		}
		f.fixed, f.count = v.numbers, strings.Count(numbers, ".")+1
	}
	if !starred {
		f.count = len(f.fixed)
	} else if f.count == len(f.fixed) {
		return Range{}, invalidRange(text)
	}
	return Range{text: text, floating: f}, nil
}

func parseInterval(text string) (Range, error) {
	last := len(text) - 1
	if last < 2 || text[last] != ']' && text[last] != ')' {
		return Range{}, invalidRange(text)
	}
	i := &interval{lowIn: text[0] == '[', highIn: text[last] == ']'}
	low, high, two := strings.Cut(text[1:last], ",")
	bound := func(text string) (*Version, bool) {
		if text = strings.TrimSpace(text); text == "" {
			return nil, two
		}
		v, err := ParseVersion(text)
		i.prereleaseBound = i.prereleaseBound || v.Prerelease()
		return &v, err == nil
	}
	var ok, ok2 bool
	i.low, ok = bound(low)
	if i.high, ok2 = i.low, ok; two {
		i.high, ok2 = bound(high)
	} else if !i.lowIn || !i.highIn {
		ok = false
	}
	if !ok || !ok2 || i.low != nil && i.high != nil && i.low.Compare(*i.high) > 0 {
		return Range{}, invalidRange(text)
	}
	return Range{text: text, interval: i}, nil
}

// Exact returns the only version of the range, if it has but one.
func (r Range) Exact() (Version, bool) {
	if i := r.interval; i != nil && i.low != nil && i.high != nil && i.low.Compare(*i.high) == 0 && i.lowIn && i.highIn {
		return *i.low, true
	}
	if r.exact == nil {
		return Version{}, false
	}
	return *r.exact, true
}

// String is the range as it was written; empty for the newest stable version.
func (r Range) String() string { return r.text }

// Contains reports whether v is meant, independent of other versions.
func (r Range) Contains(v Version) bool {
	switch {
	case r.exact != nil:
		return r.exact.Compare(v) == 0
	case r.floating != nil:
		return r.floating.contains(v)
	case r.interval != nil:
		return r.interval.contains(v)
	}
	return !v.Prerelease()
}

func (f *floating) contains(v Version) bool {
	for i := range f.count {
		if v.numbers[i] != f.fixed[i] {
			return false
		}
	}
	return !v.Prerelease() || f.unstable && strings.HasPrefix(strings.ToLower(v.release()), f.prefix)
}

func (i *interval) contains(v Version) bool {
	if i.low != nil {
		if c := v.Compare(*i.low); c < 0 || c == 0 && !i.lowIn {
			return false
		}
	}
	if i.high != nil {
		if c := v.Compare(*i.high); c > 0 || c == 0 && !i.highIn {
			return false
		}
	}
	return i.prereleaseBound || !v.Prerelease()
}

// Best returns the version among all that is meant: the newest, and of an interval the oldest.
func (r Range) Best(all []Version) (best Version, ok bool) {
	for _, v := range all {
		if !r.Contains(v) {
			continue
		}
		if c := v.Compare(best); !ok || r.interval == nil && c > 0 || r.interval != nil && c < 0 {
			best, ok = v, true
		}
	}
	return best, ok
}
