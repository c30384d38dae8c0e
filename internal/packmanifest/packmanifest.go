// Package packmanifest reads and writes what `mcpfunc pack` produces and the runtime starts from: a folder with the
// servers of a project, resolved and installed, and one file that says how each is started without
// a package runner and without the network.
//
//	packed/mcp_packed.json          this package's File
//	packed/NAME/...                 what the server NAME is made of
//	packed/_bin/NAME/PROGRAM        programs; their mode is lost on the way to Azure
//	packed/_dotnet/...              the .NET that servers share: a DOTNET_ROOT
//
// The configuration stays as its author wrote it. A packed start stands in for one command line of
// it, word for word, and for no other: after an edit it is stale, and the server starts as written.
package packmanifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Folder holds everything packed in a project, and Name the file in it.
const (
	Folder = "packed"
	Name   = "mcp_packed.json"
)

// Format is the version of the file that this package reads and writes. Another one is an error: a
// start that is only half understood is no start at all.
const Format = 1

// A File says how the servers of a project are started from what was packed. It holds no value of a
// variable and no path of the machine that wrote it.
type File struct {
	Format   int                `json:"format"`
	Platform string             `json:"platform"`           // GOOS/GOARCH that everything was installed for
	Python   string             `json:"python,omitempty"`   // major.minor that packages were installed for
	Dotnet   *Runtime           `json:"dotnet,omitempty"`   // that servers share; nil for none
	Programs map[string]Program `json:"programs,omitempty"` // to be made executable, by name
	Servers  map[string]Server  `json:"servers"`            // by the name in the configuration
}

// A Program is a file that must be copied before it can run: of everything in a deployed package
// only the handler is executable, and the package is read-only.
type Program struct {
	Path   string `json:"path"`             // slash-separated, in the project
	SHA256 string `json:"sha256"`           // of its contents, in lower-case hex
	Beside string `json:"beside,omitempty"` // a folder of the project whose contents it looks for beside itself
}

// A Runtime is what servers need to run and share. It has no programs: they are among those of the File.
type Runtime struct {
	Path string `json:"path"` // a folder: slash-separated, in the project
	Lock string `json:"lock"` // digest of the lock that it was installed from
	Tree string `json:"tree"` // digest of its content
}

// A Server is one packed server.
type Server struct {
	From  Command `json:"from"`
	Start Start   `json:"start"`
	Lock  string  `json:"lock"` // digest of the lock that it was installed from
	Tree  string  `json:"tree"` // digest of what lies in packed/NAME; empty when nothing does
}

// A Command is a command line as the configuration has it, with ${NAME} as it stands.
type Command struct {
	Command string   `json:"command"`
	Args    []string `json:"args"`
}

// Equal reports whether c and d are the same, word for word.
func (c Command) Equal(d Command) bool {
	return c.Command == d.Command && slices.Equal(c.Args, d.Args)
}

// A Start is what takes the place of the command, of the first Replaces arguments, and of those in Skips.
// The others are the server's own and stay, which is why no value of them is in the file.
type Start struct {
	Interpreter string   `json:"interpreter,omitempty"` // Python, Node, or empty: Program runs by itself
	Program     string   `json:"program,omitempty"`     // a key of File.Programs: the interpreter to use, or the server
	Flags       []string `json:"flags,omitempty"`       // of the interpreter, before the script
	Script      string   `json:"script,omitempty"`      // what the interpreter runs: slash-separated, in the project
	Replaces    int      `json:"replaces"`
	Skips       []int    `json:"skips,omitempty"` // which arguments after those are the runner's as well

	// Executables are the files among the server's own that it may run: slash-separated, in the project. Where
	// there are any, its files are copied before it is started, and these made executable.
	Executables []string `json:"executables,omitempty"`

	Dotnet *Dotnet `json:"dotnet,omitempty"` // what Program needs as one of .NET; nil for another

	// Fork is a file among the server's own that names modules of Python, a line each. An interpreter that has
	// imported them may be forked for each session, and each then run Script. Empty for a server that may not.
	Fork string `json:"fork,omitempty"`
}

// The interpreters.
const (
	Python = "python"
	Node   = "node"
)

// Load reads the file of the project in dir. A project that was never packed gives an error that is
// fs.ErrNotExist.
func Load(dir string) (*File, error) { return load(dir, Name, Parse) }

// load reads the file of that name in Folder.
func load[T any](dir, name string, parse func([]byte) (T, error)) (none T, err error) {
	data, err := os.ReadFile(filepath.Join(dir, Folder, name))
	if err != nil {
		return none, err
	}
	content, err := parse(data)
	if err != nil {
		return none, fmt.Errorf("%s: %w", filepath.Join(Folder, name), err)
	}
	return content, nil
}

// Parse reads the contents of a file and checks them: a path that leaves the project, a program that
// is not there and a key that nobody knows are errors.
func Parse(data []byte) (*File, error) {
	f := new(File)
	if err := decode(data, f); err != nil {
		return nil, err
	}
	return f, f.check()
}

// decode reads an object of this version, and nothing else.
func decode(data []byte, to any) error {
	var version struct{ Format int }
	if err := json.Unmarshal(data, &version); err != nil { // which refuses data after the object
		return err
	}
	if version.Format != Format {
		return fmt.Errorf("has format %d, but this mcpfunc reads format %d", version.Format, Format)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(to)
}

// Encode writes f as Parse reads it: the same bytes for the same file.
func (f *File) Encode() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(f)
	return b.Bytes(), err
}

var (
	platform = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+$`)
	version  = regexp.MustCompile(`^3\.[0-9]{1,3}$`)
	digest   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func (f *File) check() error {
	if !platform.MatchString(f.Platform) {
		return fmt.Errorf("invalid platform %q: want system/architecture", f.Platform)
	}
	if f.Python != "" && !version.MatchString(f.Python) {
		return fmt.Errorf("invalid python %q: want 3.minor", f.Python)
	}
	if f.Dotnet != nil && !local(f.Dotnet.Path) {
		return fmt.Errorf("the folder %q of .NET is not in the project", f.Dotnet.Path)
	}
	for name, p := range f.Programs {
		if p.Beside != "" && !local(p.Beside) {
			return fmt.Errorf("program %q: the folder %q is not in the project", name, p.Beside)
		}
		if !local(p.Path) || !digest.MatchString(p.SHA256) {
			return fmt.Errorf("program %q: its path must be in the project, and its sha256 must be 64 hexadecimal digits", name)
		}
	}
	for name, s := range f.Servers {
		if err := cmp.Or(f.checkStart(s), s.checkExecutables(name), s.checkFork(name)); err != nil {
			return fmt.Errorf("server %q: %w", name, err)
		}
	}
	return nil
}

func (f *File) checkStart(s Server) error {
	start := s.Start
	_, known := f.Programs[start.Program]
	switch {
	case start.Program != "" && !known:
		return fmt.Errorf("program %q is not among the programs", start.Program)
	case start.Replaces < 0 || start.Replaces > len(s.From.Args):
		return fmt.Errorf("replaces %d of %d arguments", start.Replaces, len(s.From.Args))
	case !skips(start.Skips, start.Replaces, len(s.From.Args)):
		return fmt.Errorf("skips the arguments %d of %d after %d", start.Skips, len(s.From.Args), start.Replaces)
	case start.Dotnet != nil && (start.Interpreter != "" || start.Dotnet.Shared && f.Dotnet == nil):
		return errors.New("is a .NET server, but has an interpreter, or .NET is not packed for it")
	case start.Interpreter == "" && (!known || start.Script != "" || len(start.Flags) > 0):
		return errors.New("without an interpreter it must have a program, and neither flags nor a script")
	case start.Interpreter == "":
		return nil
	case start.Interpreter != Python && start.Interpreter != Node:
		return fmt.Errorf("invalid interpreter %q: want %q or %q", start.Interpreter, Python, Node)
	case start.Interpreter == Python && f.Python == "":
		return errors.New("is for Python, but does not name a version")
	case !local(start.Script):
		return fmt.Errorf("script %q is not in the project", start.Script)
	}
	return nil
}

// checkFork wants the list among the files of the server, whose digest is known.
func (s Server) checkFork(name string) error {
	file := s.Start.Fork
	if file != "" && (!local(file) || !strings.HasPrefix(file, Folder+"/"+name+"/") || s.Tree == "" || s.Start.Interpreter != Python) {
		return fmt.Errorf("the list %q is not among the files of a Python server", file)
	}
	return nil
}

// checkExecutables wants them among the files of the server, whose digest is known.
func (s Server) checkExecutables(name string) error {
	for _, file := range s.Start.Executables {
		if !local(file) || !strings.HasPrefix(file, Folder+"/"+name+"/") || s.Tree == "" || s.Start.Interpreter == "" {
			return fmt.Errorf("the executable %q is not among the files of a server with an interpreter", file)
		}
	}
	return nil
}

// skips reports whether indexes of arguments are in order, from the first after those that are replaced.
func skips(list []int, first, n int) bool {
	for _, i := range list {
		if i < first || i >= n {
			return false
		}
		first = i + 1
	}
	return true
}

// local reports whether a slash-separated path names something inside the project on every system.
func local(path string) bool {
	return fs.ValidPath(path) && path != "." && !strings.ContainsAny(path, `\:`) && filepath.IsLocal(filepath.FromSlash(path))
}
