package nuget

import (
	"path"
	"slices"
	"strings"
)

// A Command is what a command line of dnx asks for.
type Command struct {
	Package string // the id, as written; empty where Tool says what is run
	Range   Range  // of the version; not given: what a tool manifest says, else the newest stable one
	Tool    string // "dotnet tool run": a command, whose package a tool manifest names

	Sources      []string // --source: in place of those that are configured
	AddSources   []string // --add-source: besides those
	ConfigFile   string   // --configfile: in place of every NuGet.Config
	IgnoreFailed bool     // --ignore-failed-sources
	RollForward  bool     // --allow-roll-forward: a newer major version of .NET will do

	Own []int // which of the arguments are the server's own, in their order
}

// Versioned reports whether the command line says something about the version.
func (c *Command) Versioned() bool { return c.Range.text != "" }

// Runs reports whether a program, by the name that it is known by on any system, is one that starts .NET
// tools: the command line is then for ParseCommand.
func Runs(program string) bool { return program == "dnx" || program == "dotnet" }

const (
	hintWrite = `write it as dnx PACKAGE@VERSION --yes, with the NuGet package that it comes from`
	hintLocal = `publish it as a .NET tool ("dotnet pack" with PackAsTool) and write it as dnx PACKAGE@VERSION --yes, or publish it as a self-contained program for linux-x64 and name its path`
)

// ParseCommand reads a command line of "dnx", "dotnet dnx", "dotnet tool exec" or "dotnet tool run"; command
// is the program as it is written, by a name or a path. Whatever else starts something of .NET is an *Error
// that says what to write instead.
func ParseCommand(command string, args []string) (*Command, error) {
	slashed := strings.ReplaceAll(command, `\`, "/")
	program := strings.ToLower(path.Base(slashed))
	for _, ext := range []string{".exe", ".cmd", ".bat"} {
		program = strings.TrimSuffix(program, ext)
	}
	w := &words{args: args}
	switch {
	case program == "dnx":
		return w.exec("dnx")
	case GlobalTool(command):
		return nil, failure(hintWrite+`; "dotnet tool list -g" names it`, "%s is a .NET tool that is installed on this machine alone", path.Base(slashed))
	case program != "dotnet":
		return nil, failure("", "%s does not start a .NET tool", command)
	}
	for first := w.next(); ; first = w.next() {
		switch {
		case first == "-d" || first == "--diagnostics":
			continue
		case first == "dnx":
			return w.exec("dotnet dnx")
		case first == "tool":
			return w.tool()
		case first == "":
			return nil, failure(hintWrite, "dotnet: missing command")
		case first == "run" || first == "watch":
			return nil, failure(hintLocal, "dotnet %s builds a project of this machine, which needs the .NET SDK where it runs", first)
		case first == "exec" || strings.HasSuffix(strings.ToLower(first), ".dll"):
			return nil, failure(hintLocal, "dotnet %s starts a file of this machine, which does not say which .NET it needs", first)
		case strings.HasSuffix(strings.ToLower(first), ".cs"):
			return nil, failure(hintLocal, "dotnet %s builds a program of this machine, which needs the .NET SDK where it runs", first)
		}
		return nil, failure(hintWrite, "dotnet %s does not start a tool from a package", first)
	}
}

// GlobalTool reports whether command is a path to where "dotnet tool install -g" puts its tools.
func GlobalTool(command string) bool {
	return strings.HasSuffix(path.Dir(strings.ReplaceAll(command, `\`, "/")), ".dotnet/tools")
}

// tool is "dotnet tool".
func (w *words) tool() (*Command, error) {
	switch verb := w.next(); verb {
	case "exec", "execute":
		return w.exec("dotnet tool exec")
	case "run":
		return w.localTool()
	default:
		return nil, failure(hintWrite, "dotnet tool %s does not start a tool", verb)
	}
}

// words are arguments while they are read.
type words struct {
	args []string
	pos  int
}

func (w *words) next() string {
	if w.pos == len(w.args) {
		return ""
	}
	w.pos++
	return w.args[w.pos-1]
}

// An option is one of dnx (dotnet tool exec --help, .NET 10).
type option struct {
	takes bool // a value, in the next word or after "=" or ":"
	maybe bool // "true" or "false" may follow
	do    func(c *Command, value string) error
}

func ignored(takes bool) option {
	return option{takes: takes, do: func(*Command, string) error { return nil }}
}

var execOptions = map[string]option{
	"--version": {takes: true, do: func(c *Command, v string) (err error) {
		if c.Versioned() {
			return failure("", "the version is given twice, as %s and as %s", c.Range, v)
		}
		c.Range, err = ParseRange(v)
		return err
	}},
	"--prerelease": {do: func(c *Command, _ string) error {
		c.Range = Newest(true)
		return nil
	}},
	"--source":                {takes: true, do: func(c *Command, v string) error { c.Sources = append(c.Sources, v); return nil }},
	"--add-source":            {takes: true, do: func(c *Command, v string) error { c.AddSources = append(c.AddSources, v); return nil }},
	"--configfile":            {takes: true, do: func(c *Command, v string) error { c.ConfigFile = v; return nil }},
	"--ignore-failed-sources": {do: func(c *Command, _ string) error { c.IgnoreFailed = true; return nil }},
	"--allow-roll-forward":    rollForward,

	"-y": ignored(false), "--yes": ignored(false), "--disable-parallel": ignored(false), "--no-cache": ignored(false), "--no-http-cache": ignored(false),
	"--interactive": {maybe: true, do: func(*Command, string) error { return nil }},
	"-v":            ignored(true), "--verbosity": ignored(true),
	"-a": ignored(true), "--arch": ignored(true), // it is packed for the app's
	"--framework": ignored(true), // the newest that a package has is taken
}

var rollForward = option{do: func(c *Command, _ string) error { c.RollForward = true; return nil }}

// exec reads what follows dnx. Its options may stand before and after the package; after it, a word that is
// none of them is the server's, and after "--" every one.
func (w *words) exec(program string) (*Command, error) {
	c := &Command{}
	prerelease := false
	spec := ""
	for w.pos < len(w.args) {
		at := w.pos
		word := w.next()
		if word == "--" {
			c.rest(w)
			break
		}
		name, opt, value, joined := lookup(execOptions, word)
		switch {
		case opt == nil && spec != "":
			c.Own = append(c.Own, at)
			continue
		case opt == nil && strings.HasPrefix(word, "-"):
			return nil, failure("write it after the name of the package, if it is the server's", "%s: the option %s is not supported", program, name)
		case opt == nil:
			spec = word
			continue
		case joined && !opt.takes && !opt.maybe:
			return nil, failure("", "%s: the option %s does not take a value", program, name)
		case opt.takes && !joined:
			if w.pos == len(w.args) {
				return nil, failure("", "%s: the option %s needs a value", program, name)
			}
			value = w.next()
		case opt.maybe && !joined && w.pos < len(w.args) && slices.Contains([]string{"true", "false"}, w.args[w.pos]):
			w.next()
		}
		if name == "--prerelease" {
			prerelease = true
			continue
		}
		if err := opt.do(c, value); err != nil {
			return nil, err
		}
	}
	if spec == "" {
		// Even what follows "--" is the package then: it is the first argument.
		if len(c.Own) == 0 {
			return nil, failure("", "%s: missing package", program)
		}
		spec, c.Own = w.args[c.Own[0]], c.Own[1:]
	}
	if err := c.name(spec); err != nil {
		return nil, err
	}
	if prerelease {
		if c.Versioned() {
			return nil, failure("remove one of them", "%s: --prerelease requests the newest version, but the version is given as %s", program, c.Range)
		}
		c.Range = Newest(true)
	}
	return c, nil
}

// name reads PACKAGE or PACKAGE@VERSION.
func (c *Command) name(spec string) error {
	id, version, versioned := strings.Cut(spec, "@")
	if !ValidID(id) {
		if strings.ContainsAny(spec, `/\`) || strings.HasSuffix(strings.ToLower(spec), ".nupkg") {
			return failure("name the package, and its folder or feed with --source", "%q is a path, not the name of a package", spec)
		}
		return failure("", "invalid package %q: want the id of a NuGet package, or ID@VERSION", spec)
	}
	c.Package = id
	if !versioned {
		return nil
	}
	if c.Versioned() {
		return failure("remove one of them", "the version is given twice, as %s and as %s", version, c.Range)
	}
	var err error
	c.Range, err = ParseRange(version)
	return err
}

// rest takes all words that are left for the server's own.
func (c *Command) rest(w *words) {
	for ; w.pos < len(w.args); w.pos++ {
		c.Own = append(c.Own, w.pos)
	}
}

// localTool reads what follows "dotnet tool run".
func (w *words) localTool() (*Command, error) {
	c := &Command{}
	for w.pos < len(w.args) {
		at := w.pos
		word := w.next()
		switch {
		case word == "--":
			c.rest(w)
		case word == "--allow-roll-forward":
			c.RollForward = true
		case c.Tool != "":
			c.Own = append(c.Own, at)
		case strings.HasPrefix(word, "-"):
			return nil, failure("", "dotnet tool run: the option %s is not supported", word)
		default:
			c.Tool = word
		}
	}
	if c.Tool == "" && len(c.Own) > 0 {
		c.Tool, c.Own = w.args[c.Own[0]], c.Own[1:]
	}
	if c.Tool == "" {
		return nil, failure("", "dotnet tool run: missing tool")
	}
	return c, nil
}

// lookup returns the option that a word is, and a value that is joined to it.
func lookup(known map[string]option, word string) (name string, opt *option, value string, joined bool) {
	name = word
	if strings.HasPrefix(word, "-") {
		if i := strings.IndexAny(word, "=:"); i > 0 {
			name, value, joined = word[:i], word[i+1:], true
		}
	}
	if o, ok := known[name]; ok {
		return name, &o, value, joined
	}
	return name, nil, "", false
}

// CommandLine is how a server of a package is written down: the command dnx and its arguments. runtime are
// arguments of dnx, and own those of the server. An empty version is the newest stable one.
func CommandLine(id, version string, runtime, own []string) (command string, args []string) {
	if version != "" {
		id += "@" + version
	}
	args = append(args, id)
	if !slices.Contains(runtime, "--yes") && !slices.Contains(runtime, "-y") {
		args = append(args, "--yes")
	}
	args = append(args, runtime...)
	if len(own) > 0 {
		args = append(append(args, "--"), own...)
	}
	return "dnx", args
}
