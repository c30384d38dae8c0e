package child

import "bytes"

// A tail keeps of what a process said the lines that say why it died: the last ones, but of a stack the
// first and the last alone, and neither usage text nor what runtimes print below any error.
type tail struct {
	kept    []said // at most tailLines
	details int    // kept since the last line that is not a detail
	skips   bool   // usage text, until a line that is not indented
	frames  bool   // below "goroutine 1 [running]:", until a blank line
	skipped []byte // the last line that was left out, for when there is no other
}

// said is a line. A detail belongs to the line above it, as the frames of a stack do.
type said struct {
	text   []byte
	detail bool
}

// add keeps a line, if it is worth it. Memory is taken over from lines that go.
func (t *tail) add(line []byte) {
	indented := line[0] == ' ' || line[0] == '\t'
	text := bytes.TrimSpace(line)
	switch {
	case usage(text):
		t.skips = true
	case !indented:
		t.skips = false
	}
	if t.skips || boilerplate(text) {
		t.skipped = append(t.skipped[:0], line...)
		return
	}
	detail := indented || t.frames || bytes.HasPrefix(text, []byte("at ")) || bytes.HasPrefix(text, []byte("from "))
	if !indented && bytes.HasPrefix(text, []byte("goroutine ")) {
		t.frames = true
	}
	if !detail {
		t.details = 0
	} else if t.details++; t.details > 2 {
		last := &t.kept[len(t.kept)-1].text
		*last = append((*last)[:0], line...)
		return
	}
	one := said{detail: detail}
	if len(t.kept) == tailLines {
		// Details go first, except for those of the last stack.
		i := 0
		for j := range t.kept[:tailLines-2] {
			if t.kept[j].detail {
				i = j
				break
			}
		}
		one.text = t.kept[i].text[:0]
		t.kept = append(t.kept[:i], t.kept[i+1:]...)
	}
	one.text = append(one.text, line...)
	t.kept = append(t.kept, one)
}

// pause notes a blank line.
func (t *tail) pause() { t.frames = false }

// lines returns copies of what is kept.
func (t *tail) lines() [][]byte {
	if len(t.kept) == 0 && t.skipped != nil {
		return [][]byte{bytes.Clone(t.skipped)}
	}
	var all [][]byte
	for _, s := range t.kept {
		all = append(all, bytes.Clone(s.text))
	}
	return all
}

// usage reports whether a line begins a text on how a program is used, or a section of one.
func usage(text []byte) bool {
	name, rest, ok := bytes.Cut(text, []byte{':'})
	if !ok || len(name) > 24 {
		return false
	}
	switch string(bytes.ToLower(name)) {
	case "usage":
		return true
	case "options", "optional arguments", "positional arguments", "arguments", "commands", "flags", "global flags", "examples", "subcommands":
		return len(rest) == 0
	}
	return bytes.HasPrefix(text, []byte("Usage of ")) // Go's flag
}

// boilerplate reports whether a line follows errors of any kind.
func boilerplate(text []byte) bool {
	if len(bytes.Trim(text, "^~ ")) == 0 { // which points at a place in the line above
		return true
	}
	for _, prefix := range []string{
		"Node.js v", "Bun v", "note: run with `RUST_BACKTRACE", "exit status ", "For more information, try ", "npm ERR! A complete log",
		"npm error A complete log", "See 'docker run --help'",
	} {
		if bytes.HasPrefix(text, []byte(prefix)) {
			return true
		}
	}
	return false
}
