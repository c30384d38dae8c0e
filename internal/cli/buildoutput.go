package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// A buildOutput takes what "go build -v" says. Packages that are compiled and modules that are downloaded are
// progress; everything else goes on to rest. A first build compiles the libraries, too, which takes a minute
// on a small machine.
type buildOutput struct {
	rest     io.Writer
	doing    func(now string)
	compiled int
	partial  []byte // of a line
}

func (o *buildOutput) Write(p []byte) (int, error) {
	o.partial = append(o.partial, p...)
	for {
		line, after, whole := bytes.Cut(o.partial, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		if err := o.line(string(line)); err != nil {
			return 0, err
		}
		o.partial = append(o.partial[:0], after...)
	}
}

// end passes on what did not end its line.
func (o *buildOutput) end() {
	if len(o.partial) > 0 {
		_ = o.line(string(o.partial))
		o.partial = nil
	}
}

func (o *buildOutput) line(line string) error {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		o.tell("downloading " + strings.TrimPrefix(line, "go: downloading "))
	case isImportPath(line):
		o.compiled++
		o.tell(fmt.Sprintf("compiling %s, package %d", line, o.compiled))
	default:
		_, err := fmt.Fprintln(o.rest, line)
		return err
	}
	return nil
}

func (o *buildOutput) tell(now string) {
	if o.doing != nil {
		o.doing(now)
	}
}

// isImportPath reports whether a line is the path of a package alone: the compiler's own lines have blanks,
// colons or a "#".
func isImportPath(line string) bool {
	return line != "" && !strings.ContainsAny(line, " \t\r:#")
}
