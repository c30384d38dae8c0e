package pack

import (
	"regexp"
	"strings"
)

// uvGlobals are options of uv that every command of it takes (uv 0.13, "Global options").
var uvGlobals = table{
	"--quiet": ignored, "-q": ignored, "--verbose": ignored, "-v": ignored, "--no-progress": ignored,
	"--color": dropped, "--no-cache": ignored, "-n": ignored, "--cache-dir": dropped, "--offline": ignored,
	"--native-tls": ignored, "--system-certs": ignored, "--no-config": ignored,
	"--managed-python": ignored, "--no-managed-python": ignored, "--no-python-downloads": ignored,
	"--config-file":         refused(true, "", "uv: --config-file names a file of one machine"),
	"--directory":           refused(true, hintProject, "uv: --directory starts a project that is not a package"),
	"--project":             refused(true, hintProject, "uv: --project starts a project that is not a package"),
	"--allow-insecure-host": kept("--allow-insecure-host", true),
}

const hintProject = `start its script with python and a requirements.txt or pyproject.toml next to it, or publish it and start it with uvx`

// uvResolver are options that say what to install, from where.
var uvResolver = merge(valued(`-c --constraints -b --build-constraints --overrides -C --config-setting --fork-strategy --torch-backend
	--no-build-package --no-binary-package --python-platform`), table{
	"--with": required, "-w": required,
	"--with-requirements": {takes: true, do: func(r *Recipe, v string) error { r.Files = append(r.Files, v); return nil }},
	"--with-editable":     refused(true, hintProject, "uv: --with-editable is for a project in development").naming(),
	"--python":            wantsPython, "-p": wantsPython,
	"--index": kept("--index", true), "--default-index": kept("--default-index", true),
	"--index-url": kept("--index-url", true), "-i": kept("--index-url", true),
	"--extra-index-url": kept("--extra-index-url", true),
	"--find-links":      kept("--find-links", true), "-f": kept("--find-links", true),
	"--no-index": kept("--no-index", false), "--index-strategy": kept("--index-strategy", true),
	"--keyring-provider": kept("--keyring-provider", true),
	"--resolution":       kept("--resolution", true), "--prerelease": kept("--prerelease", true),
	"--exclude-newer": kept("--exclude-newer", true),
	"--isolated":      ignored, "--upgrade": ignored, "-U": ignored, "--upgrade-package": dropped, "-P": dropped,
	"--refresh": ignored, "--refresh-package": dropped, "--reinstall": ignored, "--reinstall-package": dropped,
	"--link-mode": dropped, "--compile-bytecode": ignored, "--no-build": ignored, "--no-env-file": ignored,
	"--env-file": refused(true, `name the file as "envFile" in mcp_config.json`, "uv: --env-file sets variables at startup, which a packed server does not support"),
})

var (
	uvToolTable = merge(uvGlobals, uvResolver, table{"--from": names})
	uvRunTable  = merge(uvGlobals, uvResolver, table{
		"--no-project": ignored, "--no-sync": ignored, "--frozen": ignored, "--locked": ignored, "--active": ignored, "--exact": ignored,
		"--no-dev": ignored, "--no-default-groups": ignored,
		"--module": next("module"), "-m": next("module"), "--script": next("file"), "-s": next("file"),
		"--package": refused(true, hintProject, "uv run: --package starts a member of a workspace"),
	})
	pipxTable = table{
		"--spec": names, "--with": required, "--python": wantsPython,
		"--no-cache": ignored, "--verbose": ignored, "-v": ignored, "--quiet": ignored, "-q": ignored,
		"--index-url": kept("--index-url", true), "-i": kept("--index-url", true), "--fetch-missing-python": ignored,
		"--pip-args": refused(true, "", "pipx: --pip-args cannot be passed to uv"),
	}
)

// names is the option that names the package of a command.
var names = option{takes: true, names: true, specs: single, do: func(r *Recipe, v string) error { r.named = true; return r.require(v) }}

// next is an option that says what the command is.
func next(what string) option {
	return option{do: func(r *Recipe, _ string) error { r.next = what; return nil }}
}

// uvTool is "uvx" and "uv tool run": without --from, the command names the package as well.
func (r *Recipe) uvTool(w *words) error {
	r.Kind = KindPython
	if err := w.options(uvToolTable, r); err != nil {
		return err
	}
	return r.tool(w)
}

// tool reads the command of a tool runner and what belongs to it.
func (r *Recipe) tool(w *words) error {
	command := w.next()
	switch {
	case command == "":
		return refuse("", "%s: missing package", w.program)
	case r.named && isPython(command):
		return r.python(w)
	case r.named:
		r.Script = command
	default:
		if err := r.require(command); err != nil {
			return err
		}
		r.Script = requirementName(r.Requires[len(r.Requires)-1])
	}
	r.Replaces = w.pos
	return nil
}

// uvRun is "uv run": a script, a module, or a command of the packages beside it.
func (r *Recipe) uvRun(w *words) error {
	r.Kind = KindPython
	if err := w.options(uvRunTable, r); err != nil {
		return err
	}
	command := w.next()
	switch {
	case command == "":
		return refuse("", "uv run: missing command")
	case r.next == "module":
		r.Module = command
	case r.next == "file" || strings.HasSuffix(command, ".py"):
		r.File = command
	case isPython(command):
		return r.python(w)
	default:
		r.Script = command
	}
	r.Replaces = w.pos
	return nil
}

// pipx is "pipx run".
func (r *Recipe) pipx(w *words) error {
	r.Kind = KindPython
	if w.next() != "run" {
		return refuse(hintLeave, "only \"pipx run\" starts a server")
	}
	if err := w.options(pipxTable, r); err != nil {
		return err
	}
	return r.tool(w)
}

// pythonTable are the options of the interpreter before its script (python(1)).
var pythonTable = table{
	"-u": flag("-u"), "-B": flag("-B"), "-s": flag("-s"), "-E": flag("-E"), "-I": flag("-I"), "-O": flag("-O"), "-OO": flag("-OO"),
	"-q": flag("-q"), "-P": flag("-P"), "-b": flag("-b"), "-bb": flag("-bb"), "-v": flag("-v"),
	"-X": flagWith("-X"), "-W": flagWith("-W"),
	"-m": {takes: true, last: true, do: func(r *Recipe, v string) error { r.Module = v; return nil }},
	"-c": refused(true, "put the program into a file", "python: the code after -c is not a file that can be packed"),
}

func flag(name string) option {
	return option{do: func(r *Recipe, _ string) error { r.Flags = append(r.Flags, name); return nil }}
}

func flagWith(name string) option {
	return option{takes: true, do: func(r *Recipe, v string) error { r.Flags = append(r.Flags, name, v); return nil }}
}

// python is the interpreter with a script or a module.
func (r *Recipe) python(w *words) error {
	r.Kind = KindPython
	if version := pythonVersion.FindStringSubmatch(w.program); version != nil && r.PythonVersion == "" {
		r.PythonVersion = version[1]
	}
	if err := w.options(pythonTable, r); err != nil {
		return err
	}
	if r.Module == "" {
		if r.File = w.next(); r.File == "" || r.File == "-" {
			return refuse("", "python: missing script or module")
		}
	}
	r.Replaces = w.pos
	return nil
}

var pythonVersion = regexp.MustCompile(`^python(3\.[0-9]+)$`)

func isPython(command string) bool {
	return command == "python" || command == "python3" || pythonVersion.MatchString(command)
}

// wantsPython is --python: a version counts, a path of this machine does not.
var wantsPython = option{takes: true, do: func(r *Recipe, value string) error {
	v := wantedPython.FindStringSubmatch(value)
	if v == nil {
		return refuse("name it by its version, as in 3.12", "the Python %q exists only on one machine", value)
	}
	r.PythonVersion = v[1]
	return nil
}}

var wantedPython = regexp.MustCompile(`^(?:python|cpython-?)?(3\.[0-9]+)(?:\.[0-9]+)?$`)

// requirement is the part of PEP 508 that command lines use, and uvx's own NAME@VERSION.
var requirement = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(\[[A-Za-z0-9._, -]*\])?\s*(@[A-Za-z0-9.+!_*-]+|[<>=!~][<>=!~A-Za-z0-9.+!_*, -]*)?$`)

// require adds requirements, NAME@VERSION as NAME==VERSION.
func (r *Recipe) require(specs ...string) error {
	for _, spec := range specs {
		spec = strings.TrimSpace(spec)
		m := requirement.FindStringSubmatch(spec)
		if m == nil {
			return refuseSource(spec, "use a release on an index such as PyPI")
		}
		version := m[3]
		if strings.HasPrefix(version, "@") {
			if version = "==" + version[1:]; version == "==latest" {
				version = ""
			}
		}
		r.Requires = append(r.Requires, m[1]+m[2]+version)
	}
	return nil
}

// refuseSource says why what is no name of a package cannot be locked.
func refuseSource(spec, hint string) error {
	switch {
	case strings.Contains(spec, "${"):
		return refuse("write it without variables; arguments of the server itself may hold variables", "%q determines what to install, but is known only when the app starts", spec)
	case strings.Contains(spec, "git+") || strings.HasPrefix(spec, "git:") || strings.HasPrefix(spec, "github:") || strings.HasSuffix(spec, ".git"):
		return refuse(hint+"; an installer cannot check the hash of a commit", "%q is a repository, not a release", spec)
	case strings.Contains(spec, "://"):
		return refuse(hint+"; the content of a URL may change", "%q is a URL, not a release", spec)
	case strings.HasPrefix(spec, ".") || strings.HasPrefix(spec, "/") || strings.HasPrefix(spec, "~") || strings.HasPrefix(spec, "file:"):
		return refuse(hint+", or start its script with python or node", "%q is a path of this machine, not a release", spec)
	}
	return refuse(hint, "invalid package name %q", spec)
}

// splitRequirements splits a list with commas, some of which may belong to a range of versions.
func splitRequirements(list string) []string {
	var specs []string
	for part := range strings.SplitSeq(list, ",") {
		if len(specs) > 0 && strings.ContainsAny(part[:min(1, len(part))], "<>=!~") {
			specs[len(specs)-1] += "," + part
			continue
		}
		specs = append(specs, part)
	}
	return specs
}

// requirementName returns the package of a requirement, which is also what uvx runs of it.
func requirementName(spec string) string {
	return requirement.FindStringSubmatch(spec)[1]
}
