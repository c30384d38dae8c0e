package doctor

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// paths finds what servers name and the app will not have: paths of this machine or of another, and
// files that are not in the project.
func (p *Project) paths() []Finding {
	image := p.has("Dockerfile")
	all := pathsOf(p.File, p.Dir, "", image, func(s config.Server) int {
		if start, ok := p.packed(s); ok {
			return start.Replaces
		}
		return -1
	})
	return unless(all, okay("paths", "the project contains every file that a server names"))
}

// Paths finds the paths in file that the project in dir will not have, before it is packed. origin is
// the file that the servers come from, beside which a relative path may be found; it may be empty.
func Paths(file *config.File, dir, origin string) []Finding {
	return pathsOf(file, dir, origin, false, func(config.Server) int { return -1 })
}

// pathsOf looks through the command lines of all servers; packed says how many arguments of one were
// replaced by what was packed, or -1.
func pathsOf(file *config.File, dir, origin string, image bool, packed func(config.Server) int) []Finding {
	var all []Finding
	for _, s := range file.Enabled() {
		c := &pathCheck{project: dir, origin: origin, image: image, server: s}
		c.look(packed(s))
		for _, f := range c.found {
			e := &config.Error{Path: file.Path, Line: s.Line, Server: s.Name, Key: f.key, Err: fmt.Errorf("%s", f.text)}
			all = append(all, failure("paths", f.hint, "%v", e))
		}
	}
	return all
}

// A pathCheck goes through the command line of one server.
type pathCheck struct {
	project, origin string
	image           bool
	server          config.Server
	found           []pathFault
}

// A pathFault is a word that names what the app will not have.
type pathFault struct{ key, text, hint string }

func (c *pathCheck) look(replaced int) {
	s := c.server
	if s.Dir != "" {
		c.word("working_dir", s.Dir, true)
	}
	if replaced < 0 && strings.ContainsAny(s.Command, `/\`) {
		c.word("command", s.Command, true)
	}
	if s.EnvFile != "" && kindOf(s.EnvFile) != pathRelative {
		c.word("envFile", s.EnvFile, true)
	}
	script := scriptOf(s)
	for i, arg := range s.Args {
		switch {
		case i < replaced:
		case shells[pack.ProgramName(s.Command)] && i > 0 && strings.HasSuffix(s.Args[i-1], "c") && strings.HasPrefix(s.Args[i-1], "-"):
			c.shellScript(arg)
		default:
			c.word("args", arg, i == script)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		if value := s.Env[name]; kindOf(value) == pathOfUser {
			c.word("env."+name, value, false)
		}
	}
}

// shellScript looks at the words of a script that a shell is given.
func (c *pathCheck) shellScript(script string) {
	for _, word := range strings.FieldsFunc(script, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()\"'`", r) }) {
		if kindOf(word) != pathRelative {
			c.word("args", word, false)
		}
	}
}

var shells = map[string]bool{"sh": true, "bash": true, "zsh": true, "dash": true}

// A pathKind says what a word is as a path.
type pathKind int

const (
	notPath      pathKind = iota
	pathRelative          // may be one
	pathAbsolute          // of a system like Unix
	pathOfUser            // of somebody's machine, beyond doubt: a home folder, a drive of Windows
)

var (
	drive = regexp.MustCompile(`^([A-Za-z]:[\\/]|\\\\[^\\]+\\)`)
	home  = regexp.MustCompile(`^(~([/\\]|$)|~[a-z][a-z0-9_-]*/|\$(\{(env:)?)?(HOME|USERPROFILE|APPDATA|LOCALAPPDATA)\}?([/\\]|$)|%[A-Za-z_()0-9]+%[/\\])`)
	// homeVariable is the home folder at the beginning of a path, as shells and clients write it.
	homeVariable = regexp.MustCompile(`^(\$HOME|\$\{(env:)?HOME\}|%USERPROFILE%)`)
	// users are the folders of people; /home/site and /home/LogFiles are Azure's own.
	users = regexp.MustCompile(`^/(Users|home/([^/]+)|root|Volumes)(/|$)`)

	// example is a path that documentation has where its readers write their own.
	example = regexp.MustCompile(`(?i)^([a-z]:)?[/\\](path|absolute|full|your|some)([-_ ]?path)?[/\\]|[/\\]path[/\\]to[/\\]`)

	// roots are what the first folder of a path on somebody's machine is called.
	roots = words("Users home root srv opt var mnt media Volumes usr etc private Applications Library workspace workspaces data")
	// anywhere are paths that any app on Azure has, or that its programs are looked for in.
	anywhere = regexp.MustCompile(`^/(tmp|dev|proc|sys|run|bin|sbin|lib|lib64|usr/(bin|sbin|lib|share)|var/(log|tmp|run)|etc/(ssl|hosts|localtime|timezone|resolv\.conf)|home/(site|LogFiles|data)|mounts)(/|$)`)
)

func kindOf(word string) pathKind {
	switch {
	case drive.MatchString(word), home.MatchString(word):
		return pathOfUser
	case anywhere.MatchString(word):
		return notPath
	case users.MatchString(word):
		return pathOfUser
	case strings.HasPrefix(word, "/"):
		first, rest, _ := strings.Cut(word[1:], "/")
		if slices.Contains(roots, first) {
			return pathAbsolute
		}
		if _, err := os.Stat(word); err == nil && rest != "" {
			return pathAbsolute
		}
		return notPath // a route, an option of Windows
	}
	return pathRelative
}

// extensions are those of scripts and programs, without which a server does not start.
var extensions = words(".js .mjs .cjs .ts .mts .cts .tsx .py .pyz .rb .php .jar .sh .csproj .dll .wasm .lua .pl")

// modules are those of scripts that usually need others beside them.
var modules = words(".js .mjs .cjs .ts .mts .cts .tsx .py .rb .php .dll .lua .pl")

// word looks at one word. needed says that it is a path whatever it looks like.
func (c *pathCheck) word(key, word string, needed bool) {
	if strings.HasPrefix(word, "-") {
		_, value, ok := strings.Cut(word, "=")
		if !ok {
			return
		}
		word = value
	}
	word = strings.TrimPrefix(word, "file://")
	if example.MatchString(word) {
		c.fault(key, word, "names %s, which is a placeholder for a path")
		return
	}
	switch kindOf(word) {
	case pathOfUser:
		c.fault(key, word, "names %s, a path of one machine, which does not exist in the app")
	case pathAbsolute:
		if !c.image {
			c.fault(key, word, "names %s, a path of one machine, which does not exist in the app")
		}
	case pathRelative:
		c.relative(key, word, needed)
	}
}

// relative looks for a path in the project.
func (c *pathCheck) relative(key, word string, needed bool) {
	slashed := strings.ReplaceAll(word, `\`, "/")
	dotted := strings.HasPrefix(slashed, "./") || strings.HasPrefix(slashed, "../")
	script := slices.Contains(extensions, strings.ToLower(path.Ext(slashed))) && !strings.HasPrefix(slashed, "@") && !strings.ContainsAny(slashed, ":@= *?<>|")
	if strings.Contains(word, "${") || !(needed || dotted || script) || word == "." || word == "./" {
		return
	}
	base := ""
	if key != "working_dir" {
		base = filepath.ToSlash(c.server.Dir)
	}
	at := path.Join(base, slashed)
	if at == ".." || strings.HasPrefix(at, "../") {
		c.fault(key, word, "names %s, which is outside the project")
		return
	}
	if path.IsAbs(at) { // the working directory has its own fault
		return
	}
	if _, err := os.Stat(filepath.Join(c.project, filepath.FromSlash(at))); err != nil {
		c.fault(key, word, "names %s, which is not in the project")
	}
}

func (c *pathCheck) fault(key, word, text string) {
	f := pathFault{key: key, text: fmt.Sprintf(text, word), hint: c.hint(key, word)}
	if !slices.Contains(c.found, f) {
		c.found = append(c.found, f)
	}
}

// secretFile is a file that opens something, by its extension.
var secretFile = regexp.MustCompile(`(?i)\.(pem|key|p12|pfx|jks|keystore|kdbx|env)$`)

var (
	// virtual is a program of a virtual environment of Python.
	virtual = regexp.MustCompile(`(^|/)\.?v?env/(bin|Scripts)/`)
	// bundled is the folder of an MCP bundle in a project, where the importer has it.
	bundled = regexp.MustCompile(`^bundles/[^/]+`)
)

// hint is the command that copies what a word names into the project, and the word to write then.
func (c *pathCheck) hint(key, word string) string {
	slashed := path.Clean(homeVariable.ReplaceAllString(strings.ReplaceAll(word, `\`, "/"), "~"))
	if name, ok := strings.CutPrefix(key, "env."); ok && secret.Named(name) || secretFile.MatchString(slashed) {
		return "do not copy a secret into the project: let the server use the app's identity, or set what the file contains as an app setting"
	}
	if virtual.MatchString(slashed) {
		return "a virtual environment works only where it was made: start the server with uvx or uv run, or with python and a requirements.txt in the project"
	}
	if bundle := bundled.FindString(slashed); bundle != "" {
		return "copy the files of the bundle to " + filepath.ToSlash(filepath.Join(c.project, bundle))
	}
	if example.MatchString(word) {
		return "write the path of a file or folder of the project, and copy it there if it is elsewhere"
	}
	whole, rest := slashed, "" // what is copied, and the path within
	switch {
	case kindOf(word) == pathRelative && !strings.HasPrefix(slashed, "../"):
		whole, _, _ = strings.Cut(slashed, "/")
		from := whole
		if c.origin != "" {
			from = filepath.ToSlash(filepath.Join(originFolder(c.origin), filepath.FromSlash(whole)))
		}
		return fmt.Sprintf("copy it into the project: %s", c.copyCommand(from, whole))
	case slices.Contains(modules, strings.ToLower(path.Ext(slashed))):
		whole = packageRoot(slashed)
		rest = strings.TrimPrefix(strings.TrimPrefix(slashed, whole), "/")
	}
	name := path.Base(whole)
	if name == "." || name == "/" || name == ".." || name == "~" || strings.HasSuffix(name, ":") || strings.ContainsAny(name, "$%") {
		return "copy what it names into the project, and write a path that is relative to the project"
	}
	hint := fmt.Sprintf("copy it into the project, %s, and write %s", c.copyCommand(whole, name), path.Join(name, rest))
	if kindOf(word) == pathAbsolute && rest == "" {
		hint += "; for a folder that is mounted on Azure, write ${NAME} and set NAME to its path"
	}
	return hint
}

// copyCommand is what a person types to copy a file or folder into the project.
func (c *pathCheck) copyCommand(from, name string) string {
	to := filepath.ToSlash(filepath.Join(c.project, name))
	if runtime.GOOS == "windows" {
		return shellquote.Join("xcopy", "/e", "/i", filepath.FromSlash(from), filepath.FromSlash(to))
	}
	if rest, ok := strings.CutPrefix(from, "~/"); ok { // which a quote would keep from being a home folder
		return "cp -R ~/" + shellquote.Join(rest) + " " + shellquote.Join(to)
	}
	return shellquote.Join("cp", "-R", from, to)
}

// originFolder is the folder that a client's file speaks of: the one with the client's own folder in it.
func originFolder(file string) string {
	dir := filepath.Dir(file)
	for base := filepath.Base(dir); strings.HasPrefix(base, ".") && base != "." && base != ".."; base = filepath.Base(dir) {
		dir = filepath.Dir(dir)
	}
	return dir
}

// shared are folders that hold far more than one server, and so do not belong into a project.
var shared = regexp.MustCompile(`^(/|\.|~|[A-Za-z]:/?|/root|(/|[A-Za-z]:/)(Users|home)(/[^/]+)?|/(opt|srv|usr|etc|var|mnt|media|tmp|data)|/usr/(local|share|bin|local/bin)|(.*/)?(Desktop|Documents|Downloads|\.local/bin))$`)

// packageRoot is the folder of the package that a script belongs to: the nearest one with its manifest,
// else the one above the folder of what is built, else the script's own.
func packageRoot(script string) string {
	dir := path.Dir(script)
	for at, i := dir, 0; i < 5 && len(at) > 1; at, i = path.Dir(at), i+1 {
		for _, name := range []string{"package.json", "pyproject.toml", "requirements.txt", "go.mod"} {
			if _, err := os.Stat(filepath.Join(filepath.FromSlash(at), name)); err == nil {
				return at
			}
		}
	}
	if up := path.Dir(dir); slices.Contains([]string{"dist", "build", "src", "out", "bin", "lib"}, path.Base(dir)) && path.Base(up) != "/" && path.Base(up) != "." {
		return up
	}
	if shared.MatchString(dir) {
		return script
	}
	return dir
}

// scriptOf is the index of the argument that an interpreter takes for its script, or -1.
func scriptOf(s config.Server) int {
	program := pack.ProgramName(s.Command)
	takes := map[string]string{ // the options that take the next word
		"node": "-r --require --import --loader --env-file --max-old-space-size", "python": "-W -X", "deno": "", "bun": "", "ruby": "", "php": "", "tsx": "", "java": "",
		"sh": "", "bash": "",
	}
	if strings.HasPrefix(program, "python3") {
		program = "python"
	}
	options, ok := takes[program]
	if !ok {
		return -1
	}
	for i := 0; i < len(s.Args); i++ {
		arg := s.Args[i]
		switch {
		case arg == "-jar" && program == "java":
			if i+1 < len(s.Args) {
				return i + 1
			}
			return -1
		case program == "java":
		case arg == "-m" || arg == "-c" || arg == "-e" || arg == "--eval" || arg == "-p" || arg == "-" || strings.HasPrefix(arg, "-c") && shells[program] || arg == "-lc":
			return -1
		case slices.Contains(strings.Fields(options), arg):
			i++
		case strings.HasPrefix(arg, "-"):
		case (program == "deno" || program == "bun") && i == 0 && (arg == "run" || arg == "x" || arg == "serve"):
		case strings.Contains(arg, ":") && !drive.MatchString(arg): // npm:, jsr:, https:
			return -1
		case program == "bun" && !strings.ContainsAny(arg, "./"): // a script of package.json
			return -1
		default:
			return i
		}
	}
	return -1
}
