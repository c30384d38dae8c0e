// Package doctor looks at a project and at the machine that it is on, and says what is right, what
// may go wrong, and what will. It starts programs to ask for their versions, and writes nothing.
//
// There are three rooms. Advice goes by the configuration alone. Machine finds out whether the
// project can be built and served here. Deployment finds out whether it would work on Azure, and is
// true wherever the project lies: what only this machine lacks is no business of it.
package doctor

import (
	"errors"
	"fmt"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A Finding is one line of a report.
type Finding struct {
	Name   string `json:"name"` // what was looked at: a program, a file, a rule
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"` // the hint, where there is one

	file string // of the program that this is about, where it was found
}

// A Status says how much a finding matters.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warn    Status = "warn"    // works, but not always, not safely or not for everybody
	Fail    Status = "fail"    // would fail
	Missing Status = "missing" // is not there, and nothing needs it now
)

func okay(name, format string, args ...any) Finding {
	return Finding{Name: name, Status: OK, Detail: fmt.Sprintf(format, args...)}
}

func warning(name, hint, format string, args ...any) Finding {
	return Finding{Name: name, Status: Warn, Detail: fmt.Sprintf(format, args...), Hint: hint}
}

func failure(name, hint, format string, args ...any) Finding {
	return Finding{Name: name, Status: Fail, Detail: fmt.Sprintf(format, args...), Hint: hint}
}

// of is the finding as one about the program in file.
func (f Finding) of(file string) Finding {
	f.file = file
	return f
}

// failed is a failure that an error tells of, with the hint that the error carries.
func failed(name, hint string, err error) Finding {
	if e := (*config.Error)(nil); errors.As(err, &e) && e.Hint != "" {
		hint = e.Hint
	}
	return failure(name, hint, "%v", err)
}

// unless returns findings, or good if there are no findings: a report also shows what was
// looked at and found in order.
func unless(findings []Finding, good Finding) []Finding {
	if len(findings) == 0 {
		return []Finding{good}
	}
	return findings
}

// Failures counts the findings that would fail.
func Failures(findings []Finding) int { return count(findings, Fail) }

// Warnings counts the findings that may go wrong.
func Warnings(findings []Finding) int { return count(findings, Warn) }

func count(findings []Finding, status Status) int {
	n := 0
	for _, f := range findings {
		if f.Status == status {
			n++
		}
	}
	return n
}
