package pack

import (
	"fmt"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// A Kind says what a server is made of.
type Kind string

// The kinds.
const (
	KindPython  Kind = "python"  // packages from an index, or a script of the project
	KindNode    Kind = "node"    // packages from a registry, or a script of the project
	KindDotnet  Kind = "dotnet"  // a tool of a NuGet package
	KindProgram Kind = "program" // a file that runs by itself
	KindWritten Kind = "written" // left alone: it starts as written
)

// A Recipe is what a command line asks for: which packages, and what of them is run. It is read off
// the words alone; nothing is looked up.
type Recipe struct {
	Kind     Kind
	Requires []string // PEP 508 requirements, or name@version for npm and NuGet
	Files    []string // requirement files, as written
	Options  []string // for the resolver: indexes, constraints on versions
	Flags    []string // of the interpreter

	// What is run: one of these.
	Script string // a console script of a Python package, or a bin of a Node one; empty with Requires: npm's choice
	Module string // python -m
	File   string // a script of the project, or a program, as written

	PythonVersion string // major.minor that was asked for; empty for any
	Replaces      int    // how many arguments all of this was
	Skips         []int  // those after them that were this as well

	named  bool           // an option has named the package: the command is one of its scripts
	dotnet *nuget.Command // of KindDotnet

	next string // what an option said the command is: "module" or "file"
}

// A RecipeError is a command line that cannot be packed, with the hint where there is one.
type RecipeError struct {
	Text string
	Hint string
}

func (e *RecipeError) Error() string { return e.Text }

func refuse(hint, format string, args ...any) error {
	return &RecipeError{Text: fmt.Sprintf(format, args...), Hint: hint}
}

// hintLeave is the way out for whatever cannot be packed.
const hintLeave = "use --leave SERVER to start it as written, if its command exists there"

// ParseCommand reads a command line as the program that it names would. A program that it does not
// know is of KindProgram, with its name or path in File.
func ParseCommand(c packmanifest.Command) (*Recipe, error) {
	if strings.Contains(c.Command, "${") {
		return nil, refuse(hintLeave, "the command %q is known only when the app starts", c.Command)
	}
	r := &Recipe{}
	if err := r.parse(ProgramName(c.Command), c); err != nil {
		return nil, err
	}
	if r.Kind == KindDotnet {
		return r, nil // has looked at its words itself
	}
	for _, word := range c.Args[:r.Replaces] {
		if strings.Contains(word, "${") {
			return nil, refuse("write it without variables; arguments of the server itself may hold variables",
				"%q determines what to install, but is known only when the app starts", word)
		}
	}
	return r, nil
}

func (r *Recipe) parse(program string, c packmanifest.Command) error {
	words := &words{program: program, args: c.Args}
	switch {
	case nuget.Runs(program) || nuget.GlobalTool(c.Command):
		return r.dnx(c)
	case program == "uvx":
		return r.uvTool(words)
	case program == "uv":
		return r.uv(words)
	case program == "npx":
		return r.npx(words)
	case program == "npm":
		return r.npm(words)
	case program == "pipx":
		return r.pipx(words)
	case program == "node" || program == "nodejs":
		return r.node(words)
	case program == "python" || strings.HasPrefix(program, "python3"):
		return r.python(words)
	}
	switch program {
	case "docker", "podman":
		return refuse("choose a server that is a package or a program; "+hintLeave, "%s needs a container engine, which Azure Functions does not have", program)
	case "bunx", "bun", "deno", "pnpm", "yarn", "poetry", "hatch", "conda", "sh", "bash", "cmd":
		return refuse("start it with npx, uvx, dnx, python or node; "+hintLeave, "the command %s is not supported", program)
	}
	r.Kind, r.File = KindProgram, c.Command
	return nil
}

// uv is "uv": only "run" and "tool run" start something.
func (r *Recipe) uv(w *words) error {
	if err := w.options(uvGlobals, r); err != nil {
		return err
	}
	switch first := w.next(); {
	case first == "run":
		return r.uvRun(w)
	case first == "x", first == "tool" && w.next() == "run":
		return r.uvTool(w)
	default:
		return refuse(hintLeave, "uv %s does not start a server", first)
	}
}

// words are the arguments of a program while they are read.
type words struct {
	program string
	args    []string
	pos     int
}

// next returns the next word and steps over it, or "" at the end.
func (w *words) next() string {
	if w.pos == len(w.args) {
		return ""
	}
	w.pos++
	return w.args[w.pos-1]
}

// peek is next without the step.
func (w *words) peek() string {
	if w.pos == len(w.args) {
		return ""
	}
	return w.args[w.pos]
}

// An effect is what an option does to a recipe. Its argument is empty for one that takes no value.
type effect func(r *Recipe, value string) error

// An option is one that a program knows.
type option struct {
	takes bool   // a value, in the next word or after "="
	do    effect // nil: it cannot be packed
	last  bool   // what follows is no option of this program any more

	specs func(value string) []string // the packages that its value names; nil for none
	names bool                        // one of them is that of the command
}

// A table holds the options of a program by name.
type table map[string]option

// options reads options until the first other word; "--" ends them and is read too. An option that
// the table does not know is an error: it might take the next word.
func (w *words) options(known table, r *Recipe) error {
	for strings.HasPrefix(w.peek(), "-") && w.peek() != "-" {
		word := w.next()
		if word == "--" {
			return nil
		}
		name, value, joined := word, "", false
		if strings.HasPrefix(word, "--") {
			name, value, joined = strings.Cut(word, "=")
		}
		opt, ok := known[name]
		switch {
		case !ok || opt.do == nil:
			return refuse(hintLeave, "%s: the option %s is not supported", w.program, name)
		case joined && !opt.takes:
			return refuse("", "%s: the option %s does not take a value", w.program, name)
		case opt.takes && !joined:
			if w.pos == len(w.args) {
				return refuse("", "%s: the option %s needs a value", w.program, name)
			}
			value = w.next()
		}
		if err := opt.do(r, value); err != nil || opt.last {
			return err
		}
	}
	return nil
}

// The effects that several programs share.
var (
	ignored = option{do: func(*Recipe, string) error { return nil }}
	dropped = option{takes: true, do: func(*Recipe, string) error { return nil }}

	required = option{takes: true, specs: splitRequirements, do: func(r *Recipe, v string) error { return r.require(splitRequirements(v)...) }}
)

// kept hands an option on to the resolver.
func kept(name string, takes bool) option {
	return option{takes: takes, do: func(r *Recipe, value string) error {
		r.Options = append(r.Options, name)
		if takes {
			r.Options[len(r.Options)-1] += "=" + value
		}
		return nil
	}}
}

// refused is an option that asks for what cannot be packed.
func refused(takes bool, hint, format string, args ...any) option {
	return option{takes: takes, do: func(*Recipe, string) error { return refuse(hint, format, args...) }}
}

// naming is the option as one whose value is a package.
func (o option) naming() option {
	o.specs = single
	return o
}

func single(value string) []string { return []string{value} }

// valued is a table of options that take a value and cannot be packed.
func valued(names string) table {
	t := table{}
	for name := range strings.FieldsSeq(names) {
		t[name] = option{takes: true}
	}
	return t
}

// merge returns one table of several.
func merge(tables ...table) table {
	all := table{}
	for _, t := range tables {
		for name, opt := range t {
			all[name] = opt
		}
	}
	return all
}
