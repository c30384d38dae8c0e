package hostemu

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// A command is customHandler.description of host.json: how the handler is started.
type command struct {
	executable string
	arguments  []string
	worker     string // defaultWorkerPath: a script, put between the two lists of arguments
	after      []string
	dir        string // absolute
	root       string // absolute; where a relative executable is looked for first
}

// readCommand reads the description; root is the app's.
func readCommand(s settings, root string) (command, error) {
	const description = "customHandler:description"
	if !s.section(description) {
		return command{}, keyError(description, "is missing")
	}
	c := command{
		executable: s.text(description + ":defaultExecutablePath"),
		arguments:  s.strings(description + ":arguments"),
		worker:     s.text(description + ":defaultWorkerPath"),
		after:      s.strings(description + ":workerArguments"),
		dir:        below(root, s.text(description+":workingDirectory")),
		root:       below(root, s.text(description+":workerDirectory")),
	}
	if c.executable == "" {
		return command{}, keyError(description+":defaultExecutablePath", "must not be empty")
	}
	return c, nil
}

func below(root, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(root, path)
}

// build returns the handler's process as env describes it, not yet started. The items of a list are
// joined by blanks without quotes and taken apart again, as the host does: an item with a blank
// becomes two arguments unless it carries its own quotes.
func (c command) build(env []string) (*exec.Cmd, error) {
	path, err := resolve(expand(c.executable, env), c.root, env)
	if err != nil {
		return nil, err
	}
	items := make([]string, 0, len(c.arguments)+1+len(c.after))
	for _, a := range c.arguments {
		items = append(items, expand(a, env))
	}
	if c.worker != "" {
		items = append(items, `"`+expand(c.worker, env)+`"`)
	}
	for _, a := range c.after {
		items = append(items, expand(a, env))
	}
	return &exec.Cmd{
		Path: path,
		Args: append([]string{path}, splitArguments(strings.Join(items, " "))...),
		Dir:  c.dir,
		Env:  env,
	}, nil
}

// resolve finds the executable: a file below root, else a program on env's PATH.
func resolve(name, root string, env []string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	if path := filepath.Join(root, name); isFile(path) {
		return path, nil
	}
	list, _ := lookup(env, "PATH")
	for _, dir := range filepath.SplitList(list) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("customHandler.description.defaultExecutablePath: %q is neither a file below %s nor a program on PATH", name, root)
}

// splitArguments takes a command line apart as .NET does on every system: blanks and tabs divide,
// double quotes hold together, a doubled quote within quotes is one, and backslashes escape only
// when they stand before a quote.
func splitArguments(line string) []string {
	var list []string
	for rest := strings.TrimLeft(line, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		var item string
		item, rest = nextArgument(rest)
		list = append(list, item)
	}
	return list
}

func nextArgument(line string) (item, rest string) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(line); {
		if line[i] == '\\' {
			run := len(line[i:]) - len(strings.TrimLeft(line[i:], `\`))
			i += run
			if i == len(line) || line[i] != '"' {
				b.WriteString(strings.Repeat(`\`, run))
				continue
			}
			b.WriteString(strings.Repeat(`\`, run/2))
			if run%2 == 1 {
				b.WriteByte('"')
				i++
			}
			continue
		}
		switch c := line[i]; {
		case c == '"' && quoted && strings.HasPrefix(line[i+1:], `"`):
			b.WriteByte('"')
			i++
		case c == '"':
			quoted = !quoted
		case (c == ' ' || c == '\t') && !quoted:
			return b.String(), line[i:]
		default:
			b.WriteByte(c)
		}
		i++
	}
	return b.String(), ""
}
