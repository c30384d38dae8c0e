package pack

import (
	"path/filepath"
	"regexp"
	"strings"
)

// npmTable are the options of npx and npm exec that matter (npm 11, "npm exec").
var npmTable = merge(valued("--prefix --userconfig --globalconfig --node-options"), table{
	"-y": ignored, "--yes": ignored, "--no": ignored, "-q": ignored, "--quiet": ignored, "-s": ignored, "--silent": ignored,
	"--offline": ignored, "--prefer-offline": ignored, "--prefer-online": ignored, "--ignore-existing": ignored,
	"--loglevel": dropped, "--cache": dropped,
	"-p": npmNames, "--package": npmNames,
	"--registry": kept("--registry", true),
	"-c":         refused(true, "name the package and its arguments", "npx: -c needs a shell, which the app does not have"),
	"--call":     refused(true, "name the package and its arguments", "npx: --call needs a shell, which the app does not have"),
	"-w":         refused(true, hintLeave, "npx: -w starts a workspace of this machine"), "--workspace": refused(true, hintLeave, "npx: --workspace starts a workspace of this machine"),
})

var npmNames = option{takes: true, names: true, specs: single, do: func(r *Recipe, v string) error { r.named = true; return r.requireNPM(v) }}

// npx is "npx": without --package, the command names the package as well, and npm finds out which
// of its bins is meant. After the command every word is the server's own.
func (r *Recipe) npx(w *words) error {
	r.Kind = KindNode
	if err := w.options(npmTable, r); err != nil {
		return err
	}
	command := w.next()
	switch {
	case command == "":
		return refuse("", "%s: missing package", w.program)
	case r.named:
		r.Script = command
	default:
		if err := r.requireNPM(command); err != nil {
			return err
		}
	}
	r.Replaces = w.pos
	return nil
}

// npm is "npm exec" and its short form. Unlike npx it takes options until "--", wherever they stand.
func (r *Recipe) npm(w *words) error {
	if first := w.next(); first != "exec" && first != "x" {
		return refuse(`start its script with node, or its package with npx; `+hintLeave, "npm %s starts a script of package.json in a shell", first)
	}
	if err := r.npx(w); err != nil {
		return err
	}
	if w.args[w.pos-2] == "--" {
		return nil
	}
	for i, word := range w.args[w.pos:] {
		if word == "--" {
			if i > 0 {
				break
			}
			r.Replaces++
			return nil
		}
		if strings.HasPrefix(word, "-") {
			return refuse(`write "--" before the arguments of the server`, "npm exec interprets %s as its own option", word)
		}
	}
	return nil
}

// nodeTable are the options of node that take a value in the next word; all others are taken for
// such as do not (node --help).
var nodeTable = map[string]bool{
	"-r": true, "--require": true, "--import": true, "--loader": true, "--experimental-loader": true, "-C": true, "--conditions": true,
	"--env-file": true, "--env-file-if-exists": true, "--title": true, "--stack-trace-limit": true, "--input-type": true, "--max-http-header-size": true,
}

// node is the interpreter with a script.
func (r *Recipe) node(w *words) error {
	r.Kind = KindNode
	for strings.HasPrefix(w.peek(), "-") && w.peek() != "-" {
		word := w.next()
		if word == "--" {
			break
		}
		switch name, _, joined := strings.Cut(word, "="); {
		case name == "-e" || name == "--eval" || name == "-p" || name == "--print":
			return refuse("put the program into a file", "node: the code after %s is not a file that can be packed", name)
		case nodeTable[name] && !joined:
			r.Flags = append(r.Flags, word, w.next())
		default:
			r.Flags = append(r.Flags, word)
		}
	}
	if r.File = w.next(); r.File == "" || r.File == "-" {
		return refuse("", "node: missing script")
	}
	r.Replaces = w.pos
	return nil
}

// npmSpec is NAME, @SCOPE/NAME, and either with @VERSION, a range or a tag.
var npmSpec = regexp.MustCompile(`^((?:@[a-z0-9~._-]+/)?[A-Za-z0-9~_][A-Za-z0-9~._-]*)(?:@([^/:@]*))?$`)

func (r *Recipe) requireNPM(spec string) error {
	m := npmSpec.FindStringSubmatch(spec)
	if m == nil || filepath.IsAbs(spec) {
		return refuseSource(spec, "use a release on a registry such as npm's")
	}
	version := m[2]
	if version == "" {
		version = "latest"
	}
	r.Requires = append(r.Requires, m[1]+"@"+version)
	return nil
}

// splitNPM is the reverse of requireNPM.
func splitNPM(require string) (name, version string) {
	at := strings.LastIndexByte(require, '@')
	return require[:at], require[at+1:]
}
