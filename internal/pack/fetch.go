package pack

import (
	"path"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// ProgramName is the name that a command is known by, on any system: "npx" of "C:\node\npx.cmd".
func ProgramName(command string) string {
	name := strings.ToLower(path.Base(strings.ReplaceAll(command, `\`, "/")))
	for _, ext := range []string{".exe", ".cmd", ".bat"} {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}

// Fetched is what a server's command line has a package runner get when it starts, as it is written.
type Fetched struct {
	Python []string // requirements (PEP 508), and uv's NAME@VERSION
	Node   []string // npm's specifiers
	Dotnet []string // ids of NuGet packages, with @VERSION where the line has one
	Images []string // of containers
	Dated  bool     // releases of one day are taken: uv's --exclude-newer
}

// Fetches reads what a command line fetches. ParseCommand knows every word of what can be packed;
// Fetches reads every line as far as it goes, and takes an option that it does not know for one
// without a value.
func Fetches(c packmanifest.Command) Fetched {
	w := &words{args: c.Args}
	switch ProgramName(c.Command) {
	case "uvx":
		return w.fetchedByTool(uvToolTable)
	case "uv":
		w.skim(uvGlobals)
		switch first := w.next(); {
		case first == "run":
			line := w.skim(uvRunTable)
			return Fetched{Python: line.specs, Dated: line.dated}
		case first == "x", first == "tool" && w.next() == "run":
			return w.fetchedByTool(uvToolTable)
		}
	case "pipx":
		if w.next() == "run" {
			return w.fetchedByTool(pipxTable)
		}
	case "dnx", "dotnet":
		if command, err := nuget.ParseCommand(c.Command, c.Args); err == nil && command.Tool == "" {
			return Fetched{Dotnet: []string{dotnetRequirement(command)}}
		}
	case "npx", "bunx":
		return Fetched{Node: w.fetched(npmTable).specs}
	case "npm", "pnpm", "yarn", "bun":
		switch w.next() {
		case "exec", "x", "dlx":
			return Fetched{Node: w.fetched(npmTable).specs}
		}
	case "docker", "podman":
		if w.peek() == "container" {
			w.next()
		}
		if w.next() == "run" {
			return Fetched{Images: w.fetched(dockerTable).specs}
		}
	}
	return Fetched{}
}

func (w *words) fetchedByTool(known table) Fetched {
	line := w.fetched(known)
	return Fetched{Python: line.specs, Dated: line.dated}
}

// skimmed is what the options before a command say about what is fetched.
type skimmed struct {
	specs []string
	named bool // an option has named the package: the command is one of its scripts
	dated bool
}

// fetched reads options and the command.
func (w *words) fetched(known table) skimmed {
	line := w.skim(known)
	if command := w.next(); command != "" && !line.named {
		line.specs = append(line.specs, command)
	}
	return line
}

// skim steps over options until the first other word; "--" ends them and is read too.
func (w *words) skim(known table) (line skimmed) {
	for strings.HasPrefix(w.peek(), "-") && w.peek() != "-" {
		word := w.next()
		if word == "--" {
			break
		}
		name, value, joined := strings.Cut(word, "=")
		opt := known[name]
		if opt.takes && !joined {
			value = w.next()
		}
		if opt.specs != nil && value != "" {
			line.specs = append(line.specs, opt.specs(value)...)
			line.named = line.named || opt.names
		}
		line.dated = line.dated || name == "--exclude-newer"
	}
	return line
}

// dockerTable are options of "docker run" that take a value (docker 28, "docker run --help").
var dockerTable = valued(`-e --env --env-file -v --volume --mount -p --publish --name --network --net -w --workdir -u --user
	--entrypoint --add-host -l --label --platform -m --memory --cpus --pull --gpus --device --tmpfs --cap-add --cap-drop
	--security-opt --shm-size -h --hostname --restart --log-driver --log-opt --dns --ulimit --pids-limit --runtime --stop-timeout
	--volumes-from --cidfile --group-add --ipc --pid --link --expose --annotation`)
