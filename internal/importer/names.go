package importer

import (
	"fmt"
	"path"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// maxName is how long a server's name may be.
const maxName = 63

// slug converts a text to a valid name in lower case: it drops accents, and replaces other characters that are
// neither letters nor digits with one hyphen. It returns "" if nothing is left.
func slug(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '_' && b.Len() > 0:
			b.WriteRune(r)
		case 'A' <= r && r <= 'Z':
			b.WriteRune(unicode.ToLower(r))
		case unicode.Is(unicode.Mn, r):
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := b.String()
	return strings.Trim(name[:min(len(name), maxName)], "-_")
}

// NameFor offers a name for a server by what its command runs: "time" for uvx mcp-server-time.
func NameFor(command string, args []string) string {
	program := command
	skip := false
	for _, arg := range args {
		switch {
		case skip:
			skip = false
		case arg == "--from" || arg == "--package" || arg == "-p":
			skip = true
		case !strings.HasPrefix(arg, "-") && arg != "run" && arg != "dlx" && arg != "exec" && !strings.Contains(arg, "${"):
			program = arg
		default:
			continue
		}
		if program != command {
			break
		}
	}
	name := path.Base(strings.ReplaceAll(program, `\`, "/"))
	name, _, _ = strings.Cut(name, "==") // a version of PyPI
	name, _, _ = strings.Cut(name, "@")  // one of npm
	switch ext := path.Ext(name); strings.ToLower(ext) {
	case ".py", ".js", ".mjs", ".cjs", ".ts", ".exe", ".cmd", ".sh", ".jar", ".dll":
		name = strings.TrimSuffix(name, ext)
	}
	for _, affix := range []string{"mcp-server-", "server-", "mcp-"} {
		name = strings.TrimPrefix(name, affix)
	}
	for _, affix := range []string{"-mcp-server", "-mcp", "-server"} {
		name = strings.TrimSuffix(name, affix)
	}
	name = strings.Trim(notInName.ReplaceAllString(name, "-"), "-_")
	if name = name[:min(len(name), maxName)]; name == "" {
		return "server"
	}
	return name
}

// A namer gives every server of a file a name of its own.
type namer struct {
	taken map[string]bool // in lower case
}

// newNamer knows which names a person has chosen.
func newNamer(entries []found, as map[string]string) *namer {
	n := &namer{taken: map[string]bool{}}
	for _, e := range entries {
		if name, ok := as[e.name]; ok {
			n.taken[strings.ToLower(name)] = true
		}
	}
	return n
}

// name returns the name for an entry and why it is another than in the file; the first of two names
// that differ in letter case alone stays.
func (n *namer) name(e found, chosen, command string, args []string) (name, why string) {
	if chosen != "" {
		return chosen, ""
	}
	name = e.name
	if config.CheckName(name) != nil {
		why = "cannot be used in a URL and as the name of a folder"
		if strings.HasPrefix(name, "#") && slug(name) == strings.TrimPrefix(name, "#") {
			why = "has no name in the file"
			name = ""
		}
		if strings.Contains(name, "/") && slug(path.Base(name)) != "" && strings.Contains(path.Dir(name), ".") {
			name = path.Base(name) // io.example/acme, as registries name servers
		}
		if name = slug(name); name == "" {
			name = NameFor(command, args)
		}
		if config.CheckName(name) != nil { // sse, con
			name += "-server"
		}
	}
	base := name
	for i := 2; n.taken[strings.ToLower(name)]; i++ {
		why = "has the name of another server (letter case is ignored)"
		suffix := fmt.Sprintf("-%d", i)
		name = strings.ToLower(base[:min(len(base), maxName-len(suffix))]) + suffix
	}
	n.taken[strings.ToLower(name)] = true
	return name, why
}
