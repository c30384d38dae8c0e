package importer

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

var notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// systemVariables have a value in every app already, which is not what a person would be asked for.
var systemVariables = strings.Fields("PATH HOME USER LOGNAME SHELL PWD LANG TERM TMPDIR TMP TEMP HOSTNAME")

// variableFor is the environment variable for what a client calls id: in upper case, other
// characters as "_", as config has it for inputs. It is "" for an id without a letter or digit.
func variableFor(id string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, id)
	switch {
	case strings.Trim(name, "_") == "":
		return ""
	case slices.Contains(systemVariables, name):
		return "MCP_" + name
	case '0' <= name[0] && name[0] <= '9':
		return "_" + name
	}
	return name
}

var (
	braces       = regexp.MustCompile(`\{env:([A-Za-z_][A-Za-z0-9_]*)\}`)
	bracesOf     = regexp.MustCompile(`\{file:[^}]*\}`)
	secretsOf    = regexp.MustCompile(`\$\{\{\s*(?:secrets|inputs|vars?|env)\.([A-Za-z0-9_.-]+)\s*\}\}`)         // Continue, Copilot
	localEnv     = regexp.MustCompile(`\$\{(?:localEnv|containerEnv):([A-Za-z_][A-Za-z0-9_]*)(?::([^{}$]*))?\}`) // dev containers
	substitution = regexp.MustCompile("\\$\\([^)]*\\)|`[^`]*`")
	perUser      = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_]+)\s*\}\}`)
	inputsOf     = regexp.MustCompile(`\$\{(input:|user_config\.)([^}:]+)\}`)
	dollar       = regexp.MustCompile(`\$([A-Za-z_][A-Za-z0-9_]*)`)
	percent      = regexp.MustCompile(`^%([A-Za-z_][A-Za-z0-9_]*)%$`)
	percents     = regexp.MustCompile(`(?i)%(APPDATA|LOCALAPPDATA|USERPROFILE|HOMEPATH|HOMEDRIVE|PROGRAMFILES(\(X86\))?|PROGRAMDATA|SYSTEMROOT|WINDIR|TEMP|TMP|USERNAME|CD|COMSPEC)%`)
	copilot      = regexp.MustCompile(`^\$?(COPILOT_MCP_[A-Z0-9_]+)$`)
	folders      = regexp.MustCompile(`\$\{(workspaceFolder(?::[^}]*)?|containerWorkspaceFolder|localWorkspaceFolder|workspaceRoot|workspacePath|extensionPath|CLAUDE_PLUGIN_ROOT|__dirname)\}(?:[/\\]+([^\s:;,]*))?`)
)

// separators are what clients have for "/" and "\".
var separators = strings.NewReplacer("${/}", "/", "${pathSeparator}", "/")

// variables rewrites what a client replaces in a string to what config replaces. key is its
// member. A string that the app cannot have stays as it is, with the reason.
func (c *conversion) variables(key, s string) (string, *Note) {
	if strings.HasPrefix(key, "env.") { // Copilot's coding agent takes the name of a secret for its value
		s = c.replaced(key, s, copilot, func(m []string) string { return "${" + m[1] + "}" })
	}
	if !strings.ContainsAny(s, "${%") {
		return s, nil
	}
	was := s
	if s = separators.Replace(s); s != was {
		c.changed(key, "", "now uses / as the path separator, instead of that of the editor's machine")
	}
	if bracesOf.MatchString(s) && c.src.dialect.braces {
		return s, &Note{Key: key, Text: "reads {file:...}, a file on the client's machine", Hint: "write ${NAME} and set NAME as an app setting"}
	}
	if c.src.dialect.braces {
		s = c.replaced(key, s, braces, func(m []string) string { return "${" + m[1] + "}" })
	}
	if c.src.dialect.substitutes && substitution.MatchString(s) {
		return s, &Note{Key: key, Text: "reads $(...), what a command on the client's machine prints", Hint: "write ${NAME} and set NAME as an app setting"}
	}
	s = c.replaced(key, s, secretsOf, func(m []string) string { return "${" + variableFor(m[1]) + "}" })
	s = c.replaced(key, s, localEnv, func(m []string) string {
		if m[2] != "" {
			return "${" + m[1] + ":-" + m[2] + "}"
		}
		return "${" + m[1] + "}"
	})
	if m := perUser.FindStringSubmatch(s); m != nil && c.src.dialect.users {
		return s, &Note{Key: key, Text: fmt.Sprintf("has {{%s}}, which the client fills in for each user, but the app's processes get the same value for every caller", m[1]),
			Hint: "write ${NAME} if one value is right for every caller"}
	}
	s = c.inputs(key, s)
	s, note := c.folders(key, s)
	if note != nil {
		return s, note
	}
	if m := percents.FindString(s); m != "" {
		return s, &Note{Key: key, Text: fmt.Sprintf("has %s, a folder or a name of a Windows machine, which does not exist on Azure", m), Hint: "copy what it names into the project, and write a path that is relative to the project"}
	}
	s = c.replaced(key, s, percent, func(m []string) string { return "${" + m[1] + "}" })
	return c.dollars(key, s), nil
}

// replaced replaces the matches of a pattern and says so, by the name of the first.
func (c *conversion) replaced(key, s string, pattern *regexp.Regexp, with func([]string) string) string {
	first := ""
	out := pattern.ReplaceAllStringFunc(s, func(match string) string {
		to := with(pattern.FindStringSubmatch(match))
		if first == "" && to != match {
			first = to
		}
		return to
	})
	if out != s {
		c.changed(key, "", "is read from %s of the app", first)
	}
	return out
}

// inputs replaces what a person would be asked for. In a file that is taken whole, its inputs are, and
// config knows them.
func (c *conversion) inputs(key, s string) string {
	if c.src.whole {
		return s
	}
	return inputsOf.ReplaceAllStringFunc(s, func(match string) string {
		m := inputsOf.FindStringSubmatch(match)
		in, known := c.src.inputs[m[2]]
		if !known {
			in.env = variableFor(m[2])
		}
		if in.env == "" {
			return match
		}
		to := "${" + in.env + "}"
		if in.fallback != "" && !strings.ContainsAny(in.fallback, "${}") {
			to = "${" + in.env + ":-" + in.fallback + "}"
		}
		hint := ""
		if len(in.options) > 0 {
			hint = "it may be " + strings.Join(in.options, ", ")
		}
		switch {
		case in.secret:
			c.changed(key, hint, "asks for %s, a secret, which is now the variable %s of the app", m[2], in.env)
		default:
			c.changed(key, hint, "asks for %s, which is now the variable %s of the app", m[2], in.env)
		}
		return to
	})
}

// folders replaces a path below a folder that a client knows by one below the project.
func (c *conversion) folders(key, s string) (string, *Note) {
	var note *Note
	out := folders.ReplaceAllStringFunc(s, func(match string) string {
		m := folders.FindStringSubmatch(match)
		name, rest := m[1], strings.Trim(strings.ReplaceAll(m[2], `\`, "/"), "/")
		if name == "__dirname" && c.src.dialect.folder != "" {
			return strings.TrimSuffix(c.src.dialect.folder+"/"+rest, "/")
		}
		if rest == "" && match == s && (key == "cwd" || key == "working_dir") {
			what, _, _ := config.EditorVariable(name)
			c.changed(key, "", "is ${%s}, %s: it is now the project's folder", name, what)
			return ""
		}
		if rest == "" || slices.Contains(strings.Split(rest, "/"), "..") {
			return match // which config explains
		}
		what, _, _ := config.EditorVariable(name)
		c.changed(key, "copy it there", "uses ${%s}, %s, which does not exist on Azure: it is now %s of the project", name, what, rest)
		if key == "command" && !strings.Contains(rest, "/") {
			return "./" + rest
		}
		return rest
	})
	return out, note
}

// dollars writes $NAME as ${NAME} where it is a variable: it is all of the string, or a word of it in
// upper case. A shell's own script is left to the shell.
func (c *conversion) dollars(key, s string) string {
	if c.shell && key != "command" && !strings.HasPrefix(key, "env") {
		return s
	}
	var b strings.Builder
	first := ""
	at := 0
	for _, m := range dollar.FindAllStringSubmatchIndex(s, -1) {
		start, end, name := m[0], m[1], s[m[2]:m[3]]
		before := start == 0 || strings.ContainsRune(" =:/@,;\"'([", rune(s[start-1]))
		after := end == len(s) || strings.ContainsRune(" :/@,;\"')]&?", rune(s[end]))
		whole := start == 0 && end == len(s)
		variable := whole || c.src.dialect.anywhere && (start == 0 || s[start-1] != '$') || before && after && name == strings.ToUpper(name)
		if !variable {
			continue
		}
		b.WriteString(s[at:start] + "${" + name + "}")
		if at = end; first == "" {
			first = "${" + name + "}"
		}
	}
	if first == "" {
		return s
	}
	c.changed(key, "", "is read from %s of the app", first)
	return b.String() + s[at:]
}

var placeholders = regexp.MustCompile(`(?i)^\s*(` + strings.Join([]string{
	`<[^<>]*>`,
	`.*<[a-z][a-z0-9 _-]{2,}>.*`,
	`\[[a-z][a-z0-9 _-]*(key|token|secret|id|url|password|name)[a-z0-9 _-]*\]`,
	`(insert|enter|add|put|paste|replace|change)[-_ ]?(me|this|with|your|here|in)([-_ ].*)?`,
	`([a-z]{2,10}[-_])*(x{3,}|\*{3,}|\.{3,}|…)`,
	`todo|tbd|placeholder|dummy|changeme`,
	`(my|the|some)[-_ ](api[-_ ]?key|token|secret|password)`,
	`(api[-_ ]?key|token|secret|password)[-_ ]here`,
	`.*(^|[^a-z])your[-_ ][a-z].*`,
	`your(api|access|auth|secret|client|own)?(key|token|secret|password|id|name|email|url|domain)s?(here)?`,
	`([a-z]:)?[/\\]path[/\\]to([/\\].*)?`,
	`\{(your|api)[a-z0-9 _-]*\}`,
	`\{\{\s*[a-z][a-z0-9_]*\s*\}\}`,
}, "|") + `)\s*$`)

// unfilled reports whether a value is a placeholder.
func unfilled(value string) bool {
	if strings.TrimSpace(value) == "" {
		return true
	}
	prose := strings.Count(value, " ") > 5
	return !prose && !strings.Contains(value, "${") && placeholders.MatchString(value)
}

var (
	flagName    = regexp.MustCompile(`^--?([A-Za-z][A-Za-z0-9-]*)$`)
	flagValue   = regexp.MustCompile(`^(--[A-Za-z][A-Za-z0-9-]*=)(.+)$`)
	ownersWords = regexp.MustCompile(`(?i)^(<|\[|\{)?\s*(your|my|the)?[-_ ]*|[-_ ]*(here)?\s*(>|\]|\})?$`)
)

// argument rewrites an argument that is not filled in. before is the one in front of it.
func (c *conversion) argument(before, s string) string {
	prefix, value := "", s
	name := ""
	if m := flagValue.FindStringSubmatch(s); m != nil {
		prefix, value = m[1], m[2]
		name = strings.Trim(m[1], "-=")
	} else if m := flagName.FindStringSubmatch(before); m != nil && len(m[1]) > 1 {
		name = m[1]
	}
	if value == "" || strings.HasPrefix(value, "-") || value == "..." || !unfilled(value) || strings.HasPrefix(value, "/") || strings.HasPrefix(value, `\`) {
		return s
	}
	if name == "" && !strings.ContainsAny(value[:1], "<[{") && !strings.Contains(strings.ToLower(value), "your") {
		return s // a word that means something to the server
	}
	if words := variableFor(ownersWords.ReplaceAllString(value, "")); name == "" {
		name = words
	}
	if name = variableFor(name); name == "" {
		return s
	}
	c.changed("args", "", "is a placeholder: it is read from ${%s}", name)
	return prefix + "${" + name + "}"
}
