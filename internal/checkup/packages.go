package checkup

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A pkg is something that a server's command line has a package runner fetch when it starts.
type pkg struct {
	spec   string // as it is written
	pinned bool
	form   string // how a pinned one is written
}

// packageAdvice finds packages that may be others tomorrow. Whoever publishes one then runs code in
// the app, and a start that worked may not work again.
func packageAdvice(file *config.File, s config.Server) []Advice {
	var all []Advice
	for _, p := range packages(s.Command, s.Args) {
		if p.pinned {
			continue
		}
		all = append(all, advise(RulePackages, file, &s, "args", "pin it: "+p.form,
			"has %s fetch %q in whatever version is newest", program(s.Command), p.spec))
	}
	return all
}

// program is the name that a command is known by.
func program(command string) string {
	name := strings.ToLower(path.Base(strings.ReplaceAll(command, `\`, "/")))
	for _, ext := range []string{".exe", ".cmd", ".bat"} {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}

// packages returns what a command line has a package runner fetch.
func packages(command string, args []string) []pkg {
	switch name := program(command); name {
	case "uvx":
		return uvxPackages(args)
	case "uv":
		if len(args) >= 2 && args[0] == "tool" && args[1] == "run" {
			return uvxPackages(args[2:])
		}
	case "npx", "bunx":
		return npxPackages(args)
	case "npm", "pnpm", "yarn", "bun":
		if len(args) > 0 && slices.Contains([]string{"exec", "x", "dlx"}, args[0]) {
			return npxPackages(args[1:])
		}
	case "docker", "podman":
		return image(args)
	}
	return nil
}

// uvxValued are uvx's options that take their value from the next argument (uv 0.9, "uv tool run
// --help"), apart from those that name packages.
var uvxValued = words(`--with-requirements -c --constraints -b --build-constraints --overrides --env-file -p --python
	--index --default-index -i --index-url --extra-index-url -f --find-links --index-strategy --keyring-provider
	-P --upgrade-package --reinstall-package --resolution --prerelease --fork-strategy --exclude-newer -C --config-setting
	--link-mode --cache-dir --directory --project --config-file --color --allow-insecure-host --torch-backend
	--no-build-package --no-binary-package --refresh-package --python-platform`)

func uvxPackages(args []string) []pkg {
	line := parseLine(args, words("--from --with --with-editable -w"), uvxValued)
	if line.given["--exclude-newer"] {
		return nil // pins everything to a day
	}
	specs := line.specs
	if !line.given["--from"] && line.first != "" {
		specs = append(specs, line.first)
	}
	var all []pkg
	for _, spec := range specs {
		for one := range strings.SplitSeq(spec, ",") { // --with takes a list
			all = append(all, pkg{one, pythonPinned(one), pythonForm(one)})
		}
	}
	return all
}

var (
	pythonName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?`)
	exactPython   = regexp.MustCompile(`===?\s*(\$\{|v?[0-9])[^*,]*$`)
	exactVersion  = regexp.MustCompile(`@v?[0-9][0-9A-Za-z.+!-]*$`)
	commit        = regexp.MustCompile(`[@#]([0-9a-f]{40}|[0-9a-f]{64})(#|$)`)
	exactNPM      = regexp.MustCompile(`@(\$\{[^}]*\}|[v=]?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]*)?)$`)
	localPath     = regexp.MustCompile(`^(\.|/|~|file:|[A-Za-z]:[\\/])`)
	archiveSuffix = regexp.MustCompile(`\.(whl|tar\.gz|tgz|zip)(#|$)`)
)

// pythonPinned reports whether a requirement (PEP 508), or uv's NAME@VERSION, names one version.
func pythonPinned(spec string) bool {
	switch {
	case localPath.MatchString(spec):
		return true
	case strings.Contains(spec, "://"):
		return commit.MatchString(spec) || archiveSuffix.MatchString(spec)
	}
	return exactPython.MatchString(spec) || exactVersion.MatchString(spec)
}

func pythonForm(spec string) string {
	if strings.Contains(spec, "://") {
		return strings.TrimSuffix(spec, "/") + "@COMMIT"
	}
	return pythonName.FindString(spec) + "==VERSION"
}

// npxValued are npx's options that take their value from the next argument, apart from those that
// name packages.
var npxValued = words("-c --call -w --workspace --registry --prefix --cache --userconfig --globalconfig --loglevel --node-options")

func npxPackages(args []string) []pkg {
	line := parseLine(args, words("-p --package"), npxValued)
	specs := line.specs
	if len(specs) == 0 && line.first != "" {
		specs = []string{line.first}
	}
	var all []pkg
	for _, spec := range specs {
		all = append(all, pkg{spec, npmPinned(spec), npmName(spec) + "@VERSION"})
	}
	return all
}

// npmPinned reports whether a package specifier of npm names one version; "1.2" and "^1.2.3" do not.
func npmPinned(spec string) bool {
	switch {
	case localPath.MatchString(spec), exactNPM.MatchString(spec), commit.MatchString(spec):
		return true
	case strings.Contains(spec, "://"):
		return archiveSuffix.MatchString(spec)
	}
	return false
}

// npmName is a specifier without its version: the first "@" may be that of a scope.
func npmName(spec string) string {
	if i := strings.LastIndex(spec, "@"); i > 0 {
		return spec[:i]
	}
	return spec
}

// dockerValued are options of "docker run" that take their value from the next argument.
var dockerValued = words(`-e --env --env-file -v --volume --mount -p --publish --name --network --net -w --workdir -u --user
	--entrypoint --add-host -l --label --platform -m --memory --cpus --pull --gpus --device --tmpfs --cap-add --cap-drop
	--security-opt --shm-size -h --hostname --restart --log-driver --log-opt --dns --ulimit --pids-limit --runtime --stop-timeout
	--volumes-from --cidfile --group-add --ipc --pid --link --expose --annotation`)

// image returns the image of "docker run", which only a digest pins: tags move.
func image(args []string) []pkg {
	if len(args) > 0 && args[0] == "container" {
		args = args[1:]
	}
	if len(args) == 0 || args[0] != "run" {
		return nil
	}
	name := parseLine(args[1:], nil, dockerValued).first
	if name == "" {
		return nil
	}
	return []pkg{{name, strings.Contains(name, "@sha256:"), name + "@sha256:DIGEST"}}
}

// A line is a runner's command line as far as it says what is fetched.
type line struct {
	specs []string        // values of the options that name packages
	given map[string]bool // options
	first string          // argument that is no option: what runs; the others are its own
}

// parseLine reads args up to the first that is no option. naming and valued are the options that
// take a value; those of one letter may be joined with it.
func parseLine(args, naming, valued []string) line {
	l := line{given: map[string]bool{}}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			if i+1 < len(args) {
				l.first = args[i+1]
			}
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			l.first = arg
			break
		}
		name, value, joined := strings.Cut(arg, "=")
		l.given[name] = true
		takes := slices.Contains(naming, name) || slices.Contains(valued, name)
		if takes && !joined && i+1 < len(args) {
			i++
			value = args[i]
		}
		if slices.Contains(naming, name) && value != "" {
			l.specs = append(l.specs, value)
		}
	}
	return l
}

func words(s string) []string { return strings.Fields(s) }
