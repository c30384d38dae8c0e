// Package nuget gets .NET tools out of NuGet without .NET: it reads the command lines that start them
// (dnx), resolves and downloads their packages over NuGet's v3 protocol
// (learn.microsoft.com/nuget/api/overview), and finds in a package what is to be run, and on which
// runtime.
//
// Nothing that is read here is trusted: answers of a feed, settings and packages are bounded, and a
// package writes nothing but regular files below the folder that it is extracted to. What a package's
// contents are is for the caller to compare: every download has its SHA-512. Signatures of packages are
// not checked.
package nuget

import (
	"fmt"
	"regexp"
)

// An Error is what went wrong in one sentence, with what to do about it where that is known.
type Error struct {
	Text string
	Hint string
	Err  error // the cause, when there is one; part of Text already
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

func failure(hint, format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), Hint: hint}
}

// because is failure with a cause, that errors.Is finds.
func because(err error, hint, format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), Hint: hint, Err: err}
}

// identifier is what the id of a package looks like: at most 100 characters, which a caller of ValidID
// need not know (learn.microsoft.com/nuget/reference/nuspec, "id").
var identifier = regexp.MustCompile(`^[\pL\pN_]+(?:[.-][\pL\pN_]+)*$`)

const idLimit = 100

// ValidID reports whether id can be that of a package. Whatever is valid is a plain name of a file, too.
func ValidID(id string) bool { return len(id) <= idLimit && identifier.MatchString(id) }
