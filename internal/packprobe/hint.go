package packprobe

import (
	"errors"
	"regexp"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/pack"
)

// errLate is the cause of a probe that had no answer in time.
var errLate = errors.New("no answer")

var (
	// notPermitted is what Node, Python, Go and the C library call a file that nobody may write or run.
	notPermitted = regexp.MustCompile(`\b(?:EACCES|EROFS|EPERM)\b|PermissionError|(?i:permission denied|read-only file ?system|operation not permitted)`)

	// notBuilt is what loaders say of a module with machine code that was never made.
	notBuilt = regexp.MustCompile(`(?i)could not locate the bindings file|\.node['"\x60]|node-gyp|prebuild|no native build was found|postinstall|install script`)

	// newLibrary is what the loader says of a program that was built on a newer system.
	newLibrary = regexp.MustCompile(`version .GLIBC(?:XX)?_[0-9.]+. not found`)

	// wrongPython is what is said in a Python that a package was not written for; the first is the packed server's own.
	wrongPython = regexp.MustCompile(`packed for Python|requires (?:a different )?Python|Python \d\.\d+ or (?:later|newer|higher)|cannot import name '\w+' from '(?:typing|enum|datetime|tomllib|asyncio)'|No module named '(?:tomllib|distutils|imp)'|SyntaxError`)

	// wrongRelease is what Python says of a package that has changed since a server was written for it.
	wrongRelease = regexp.MustCompile(`(?m)^(?:AttributeError: .* has no attribute|ImportError: cannot import name|ModuleNotFoundError:|TypeError: .* unexpected keyword argument)`)
)

// hintFor returns what may help with a server that did not answer: err, and what it said.
func hintFor(err error, said string, target pack.Target) string {
	switch {
	case notPermitted.MatchString(said):
		return "packed files are read-only where the app runs, and not executable: give the server another folder to write to, such as one in /tmp, in its options or environment; or use --leave " + target.Name + " to start it as written"
	case newLibrary.MatchString(said):
		return "the program was built for a newer Linux than this machine; the images of Azure Functions may be older, too: use another release of it, or an image with that Linux (mcpfunc init --docker)"
	case len(target.Unbuilt) > 0 && notBuilt.MatchString(said):
		return "use --scripts to run the install script of " + strings.Join(target.Unbuilt, ", ")
	case target.Python != "" && wrongPython.MatchString(said):
		return "use --python to pack for another version of Python, which must match the app's stack"
	case target.Python != "" && wrongRelease.MatchString(said):
		return "a package that it depends on may have a newer release than it was written for: ask for an older one in its arguments, such as --with 'mcp<2' before the package"
	case errors.Is(err, errLate):
		return "if the server is slow, raise its timeout_seconds in mcp_config.json; or use --no-probe to pack without starting the servers"
	}
	return "put the values that it needs into local.settings.json, or use --no-probe to pack without starting the servers"
}
