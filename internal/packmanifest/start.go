package packmanifest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// A Launch is a command line to start a packed server by. Paths in it are absolute, as a server may
// have a working directory of its own.
type Launch struct {
	Command string
	Args    []string
	Env     map[string]string // beneath what the configuration sets; nil for nothing

	Flags int    // how many of Args come before the script
	Fork  string // a file that names what may be imported before a fork; empty for nothing
}

// Over returns the variables of the launch with those of the configuration over them.
func (l Launch) Over(written map[string]string) map[string]string {
	if len(l.Env) == 0 {
		return written
	}
	env := maps.Clone(l.Env)
	maps.Copy(env, written)
	return env
}

// ErrStale says that a server was packed from a different command line than it has now, or never.
var ErrStale = errors.New("was packed from a different entry of the configuration")

// Fits reports whether what was packed runs on this system.
func (f *File) Fits() bool { return f.Platform == runtime.GOOS+"/"+runtime.GOARCH }

// Complete reports whether a server starts here from what is packed, and needs no program of this machine.
func (f *File) Complete(name string, written Command) bool {
	server, ok := f.Servers[name]
	return ok && f.Fits() && server.From.Equal(written) && server.Start.Program != ""
}

// A Starter turns packed starts into command lines. Its methods are called by one goroutine.
type Starter struct {
	File *File
	Dir  string // the project; absolute
	Temp string // where programs are copied to and made executable; usually os.TempDir()

	// Memory is what the machine has, in bytes, of which a runtime that takes what it can get is given a
	// part; zero where it is not known.
	Memory int64

	// Libraries are the folders of the system's libraries; nil for the usual ones.
	Libraries []string

	// LookPath finds an interpreter by name, as exec.LookPath does.
	LookPath func(name string) (string, error)

	copied map[string]string // by name of the program: where it is executable now
}

// Launch returns how the server called name is started. written is its command line with ${NAME} as
// it stands, and args are its arguments with their values. A server that was not packed in this form
// is ErrStale; one whose files are gone is an error too.
func (s *Starter) Launch(name string, written Command, args []string) (Launch, error) {
	server, ok := s.File.Servers[name]
	if !ok || !server.From.Equal(written) || len(args) != len(written.Args) {
		return Launch{}, ErrStale
	}
	start := server.Start
	own := start.own(args)
	if start.Interpreter == "" {
		program, err := s.program(start.Program)
		return Launch{Command: program, Args: own, Env: s.dotnet(start.Dotnet)}, err
	}
	dir := s.Dir
	if len(start.Executables) > 0 {
		var err error
		if dir, err = unpackTree(s.Dir, name, server, s.Temp); err != nil {
			return Launch{}, fmt.Errorf("make programs in %s/%s executable: %w", Folder, name, err)
		}
	}
	script := filepath.Join(dir, filepath.FromSlash(start.Script))
	if info, err := os.Stat(script); err != nil || info.IsDir() {
		return Launch{}, fmt.Errorf("%s does not exist", start.Script)
	}
	interpreter, err := s.interpreter(start)
	if err != nil {
		return Launch{}, err
	}
	words := append(append([]string{}, start.Flags...), script)
	launch := Launch{Command: interpreter, Args: append(words, own...), Flags: len(start.Flags)}
	if start.Fork != "" {
		launch.Fork = filepath.Join(dir, filepath.FromSlash(start.Fork))
	}
	return launch, nil
}

// own returns the arguments that are the server's.
func (s Start) own(args []string) []string {
	if len(s.Skips) == 0 {
		return args[s.Replaces:]
	}
	var own []string
	for i := s.Replaces; i < len(args); i++ {
		if !slices.Contains(s.Skips, i) {
			own = append(own, args[i])
		}
	}
	return own
}

// interpreter returns what runs a script. It is a name for the process's own PATH; where none is
// found it is the usual one, so that the start fails as it does for any program that is missing.
func (s *Starter) interpreter(start Start) (string, error) {
	if start.Program != "" {
		return s.program(start.Program)
	}
	names := []string{"node"}
	if start.Interpreter == Python {
		// The version first: "python3" may be any, and packages with machine code fit one alone.
		names = []string{"python" + s.File.Python, "python3", "python"}
	}
	for _, name := range names {
		if _, err := s.LookPath(name); err == nil {
			return name, nil
		}
	}
	return names[len(names)/2], nil
}

// program makes a program executable, once, and returns where.
func (s *Starter) program(name string) (string, error) {
	if path, ok := s.copied[name]; ok {
		return path, nil
	}
	p, ok := s.File.Programs[name]
	if !ok {
		return "", fmt.Errorf("program %q: %w", name, fs.ErrNotExist)
	}
	beside := ""
	if p.Beside != "" {
		beside = filepath.Join(s.Dir, filepath.FromSlash(p.Beside))
	}
	path, err := unpack(filepath.Join(s.Dir, filepath.FromSlash(p.Path)), p.SHA256, beside, s.Temp)
	if err != nil {
		return "", fmt.Errorf("make %s executable: %w", p.Path, err)
	}
	if s.copied == nil {
		s.copied = map[string]string{}
	}
	s.copied[name] = path
	return path, nil
}
