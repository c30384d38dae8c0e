package importer

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	hintRemote    = "keep it in the client's configuration: clients use its URL as before"
	hintContainer = "serve the program in the image if it is also on npm, PyPI or NuGet; otherwise host the image elsewhere"
	hintProgram   = "name the program itself and its arguments"
)

// remoteReason says why a server at a URL is left out.
func remoteReason(address string) string {
	where := ""
	if u, err := url.Parse(address); err == nil && u.Host != "" && u.User == nil && !strings.Contains(u.Host, "$") {
		where = ", at " + u.Host
	}
	return "is a remote server, which already has a URL" + where + ": mcpfunc serves only programs that speak stdio"
}

// remote says why an entry is one of a server that runs elsewhere; nil where it is not.
func (c *conversion) remote() *Note {
	kind, key := "", ""
	for _, key = range []string{"type", "transportType", "transport"} {
		if v := c.get(key); v != nil {
			if s, ok := asString(*v); ok {
				kind = s
			}
			break
		}
	}
	address := ""
	for _, name := range []string{"url", "serverUrl", "httpUrl", "baseUrl", "uri", "endpoint"} {
		if s, ok := c.str(name); ok && address == "" {
			address = s
		}
	}
	hasCommand := c.get("command") != nil
	switch strings.ToLower(strings.ReplaceAll(kind, "_", "-")) {
	case "http", "sse", "streamable-http", "streamablehttp", "remote", "ws", "websocket":
		return &Note{Text: remoteReason(address), Hint: hintRemote}
	case "builtin", "platform", "frontend", "inmemory":
		return &Note{Text: fmt.Sprintf("is a part of the client itself (%s %q), not a program", key, kind)}
	case "inline-python":
		return &Note{Text: fmt.Sprintf("is a script within the client's configuration (%s %q), not a program", key, kind), Hint: "write it to a file of the project and serve that file: uv run FILE"}
	case "", "stdio", "local", "custom":
	default:
		if nearStdio(kind) {
			return nil // config says what was meant
		}
		return &Note{Key: key, Text: fmt.Sprintf("is %q, but mcpfunc serves only programs that speak stdio", kind)}
	}
	if !hasCommand && address != "" {
		return &Note{Text: remoteReason(address), Hint: hintRemote}
	}
	if s, ok := c.str("uses"); ok && !hasCommand {
		return &Note{Text: fmt.Sprintf("is %s of Continue's hub, which only Continue can look up", s), Hint: hintProgram}
	}
	if s, _ := c.str("source"); !hasCommand && (s == "extension" || c.get("settings") != nil) {
		return &Note{Text: "is an extension of Zed, which includes its own program", Hint: hintProgram}
	}
	if !hasCommand && c.src.dialect.starts { // opencode, Crush
		return &Note{Text: "is only switched on or off here: another file of the client describes it"}
	}
	return nil
}

// nearStdio reports whether a kind is "stdio" with its letters mixed up or one missing.
func nearStdio(kind string) bool {
	letters := func(s string) string {
		b := []byte(strings.ToLower(s))
		slices.Sort(b)
		return string(b)
	}
	return letters(kind) == letters("stdio") || letters(kind) == letters("stdi") || letters(kind) == letters("sdio") || letters(kind) == letters("stdoi")
}

var (
	// launchers are programs that are called the same wherever they are installed, so that the folder
	// and the ending that they have on one machine say nothing.
	launchers = strings.Fields("npx npm node pnpm yarn bun bunx deno uv uvx pipx python python3 dnx dotnet")

	// environment is a folder in which python is not just any: it has packages of its own.
	environment = regexp.MustCompile(`(?i)(^|/)(\.?venv|\.?env|envs|virtualenvs|\.virtualenv|site-packages|conda|miniconda\d?|anaconda\d?)(/|$)`)
	windowsEnd  = regexp.MustCompile(`(?i)\.(cmd|exe)$`)
)

// program translates the command line of one machine to what any has, or says why it cannot be. shells
// of Windows, containers and bridges are what cannot.
func (c *conversion) program() *Note {
	command, args := c.command()
	if command == "" {
		return nil
	}
	before, argsBefore := command, args
	if v := c.get("args"); v != nil && args == nil {
		return cannotRun(command, nil) // config says what is wrong with them
	}
	command, args = c.unwrap(command, args)
	was := command
	if windowsEnd.MatchString(command) || strings.ContainsAny(command, `/\`) {
		slashed := strings.ReplaceAll(command, `\`, "/")
		base := windowsEnd.ReplaceAllString(path.Base(slashed), "")
		plain := strings.ToLower(base)
		ofPython := strings.HasPrefix(plain, "python")
		if slices.Contains(launchers, plain) && !(ofPython && environment.MatchString(path.Dir(slashed))) && !strings.HasPrefix(slashed, "./") && !inProject(slashed) {
			command = plain
		}
	}
	args = c.withoutExe(command, args)
	if command != before || !slices.Equal(args, argsBefore) {
		c.setCommand(command, args)
	}
	if command != was {
		c.changed("command", "", "is now %s instead of %s, a path of one machine", command, was)
	}
	return cannotRun(command, args)
}

// withoutExe returns the arguments of a runner of Python with the names of scripts as they are on Linux.
func (c *conversion) withoutExe(command string, args []string) []string {
	if !slices.Contains([]string{"uv", "uvx", "pipx"}, command) {
		return args
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if toolOfWindows.MatchString(arg) {
			args[i] = strings.TrimSuffix(arg, ".exe")
			c.changed("args", "", "names %s, as on Windows: it is %s here", arg, args[i])
		}
	}
	return args
}

// toolOfWindows is a script of a Python package as Windows calls it.
var toolOfWindows = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*\.exe$`)

// inProject reports whether a path is one below the project: relative, with a folder.
func inProject(p string) bool {
	return strings.Contains(p, "/") && !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "~") && !strings.HasPrefix(p, "$") && !strings.HasPrefix(p, "%") && (len(p) < 2 || p[1] != ':')
}

// isCmd reports whether a command is the shell of Windows.
func isCmd(command string) bool {
	base := strings.ToLower(path.Base(strings.ReplaceAll(command, `\`, "/")))
	return base == "cmd" || base == "cmd.exe"
}

// unwrapCmd takes away the shell of Windows: cmd /c npx is npx.
func unwrapCmd(command string, args []string) (string, []string) {
	if !isCmd(command) {
		return command, args
	}
	for i, arg := range args {
		switch lower := strings.ToLower(arg); {
		case lower == "/c" || lower == "/k":
			if rest := args[i+1:]; len(rest) > 0 && !strings.ContainsAny(strings.Join(rest, " "), "&|<>^") {
				if words := strings.Fields(rest[0]); len(rest) == 1 && len(words) > 1 && !strings.Contains(rest[0], `"`) {
					rest = words
				}
				if strings.HasPrefix(rest[0], "-") || strings.EqualFold(rest[0], "start") || strings.EqualFold(rest[0], "set") || strings.EqualFold(rest[0], "cd") {
					return command, args
				}
				return rest[0], slices.Clone(rest[1:])
			}
			return command, args
		case !strings.HasPrefix(arg, "/"):
			return command, args
		}
	}
	return command, args
}

// cannotRun says why no app on Azure Functions can start a command.
func cannotRun(command string, args []string) *Note {
	base := strings.ToLower(path.Base(strings.ReplaceAll(command, `\`, "/")))
	name := strings.TrimSuffix(base, ".exe")
	at := func(text, hint string, about ...any) *Note {
		return &Note{Key: "command", Text: fmt.Sprintf(text, about...), Hint: hint}
	}
	switch {
	case slices.Contains(engines, name):
		return at("is %s, but an app on Azure Functions cannot start containers", hintContainer, name)
	case containerIn(name, args) != "":
		return at("starts %s, but an app on Azure Functions cannot start containers", hintContainer, containerIn(name, args))
	case slices.Contains([]string{"cmd", "powershell", "pwsh", "wsl", "cscript", "wscript"}, name):
		return at("is %s, of Windows, and Azure Functions runs this on Linux", hintProgram, name)
	case slices.Contains([]string{".bat", ".cmd", ".ps1", ".vbs"}, path.Ext(base)):
		return at("is %s, a script of Windows, and Azure Functions runs this on Linux", hintProgram, base)
	case slices.Contains([]string{"osascript", "open"}, name):
		return at("is %s, of macOS, and Azure Functions runs this on Linux", hintProgram, name)
	case percents.MatchString(command):
		return at("has %s, a folder of a Windows machine, which does not exist on Azure", hintProgram, percents.FindString(command))
	}
	return bridge(name, args)
}

// engines start containers.
var engines = []string{"docker", "podman", "nerdctl", "docker-compose", "podman-compose", "finch"}

// containerIn returns the engine that a shell's script, or a command behind sudo or env, starts.
func containerIn(name string, args []string) string {
	if !slices.Contains([]string{"sh", "bash", "zsh", "dash", "sudo", "env"}, name) {
		return ""
	}
	for _, arg := range args {
		for _, word := range strings.FieldsFunc(arg, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()\"'", r) }) {
			if slices.Contains(engines, path.Base(word)) {
				return path.Base(word)
			}
		}
	}
	return ""
}

// bridges are packages that do nothing but speak to a server at a URL.
var bridges = strings.Fields("mcp-remote mcp-proxy supergateway @modelcontextprotocol/client-proxy fastmcp-remote mcp-remote-client")

// bridge says that a command only leads to a server elsewhere, or serves a program over HTTP as we do.
func bridge(name string, args []string) *Note {
	words := append([]string{name}, args...)
	i := slices.IndexFunc(words, func(w string) bool { return slices.Contains(bridges, unpinned(w)) })
	if i < 0 {
		return nil
	}
	if plain := unpinned(words[i]); plain == "supergateway" && slices.Contains(words, "--stdio") {
		return &Note{Key: "command", Text: fmt.Sprintf("starts %s, which serves another program over HTTP, and mcpfunc does that itself", plain), Hint: "name the program behind --stdio and its arguments"}
	}
	for j, w := range words {
		if strings.HasPrefix(w, "https://") || strings.HasPrefix(w, "http://") {
			if j > i {
				return &Note{Text: fmt.Sprintf("only connects to a remote server through %s; it %s", unpinned(words[i]), strings.TrimPrefix(remoteReason(w), "is a remote server, which ")), Hint: hintRemote}
			}
		}
	}
	return nil
}

// unpinned is the name of a package without its version.
func unpinned(word string) string {
	if i := strings.LastIndex(word, "@"); i > 0 {
		word = word[:i]
	}
	word, _, _ = strings.Cut(word, "==")
	return word
}
