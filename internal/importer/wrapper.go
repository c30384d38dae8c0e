package importer

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Wrappers are programs that start another one: what they add is part of one machine, or has a member of its own.

// versionManagers start a program in the version of it that they choose, by the words that make them do so.
var versionManagers = map[string][]string{
	"mise": {"x", "exec"}, "rtx": {"x", "exec"}, "asdf": {"exec"}, "volta": {"run"}, "fnm": {"exec"},
	"pyenv": {"exec"}, "nodenv": {"exec"}, "rbenv": {"exec"},
}

// unwrap takes wrappers away until the program itself is left, and says what went.
func (c *conversion) unwrap(command string, args []string) (string, []string) {
	for range 4 { // nobody wraps deeper
		inner, rest, why := c.unwrapOnce(command, args)
		if why == "" {
			return command, args
		}
		command, args = inner, rest
		c.changed("command", "", "is %s, %s", command, why)
	}
	return command, args
}

// unwrapOnce takes one wrapper away. Without one, why is empty.
func (c *conversion) unwrapOnce(command string, args []string) (inner string, rest []string, why string) {
	name := windowsEnd.ReplaceAllString(path.Base(strings.ReplaceAll(command, `\`, "/")), "")
	if words := strings.Fields(command); len(words) > 1 && slices.Contains(launchers, words[0]) && !strings.ContainsAny(command, "\"'`$&|;<>()\\") {
		return words[0], slices.Concat(words[1:], args), "and the words behind it are arguments"
	}
	if isCmd(command) {
		if inner, rest := unwrapCmd(command, args); inner != command {
			return inner, rest, "without cmd, the shell of Windows"
		}
		return
	}
	if name == "env" {
		return c.unwrapEnv(args)
	}
	verbs := versionManagers[name]
	if len(args) == 0 || !slices.Contains(verbs, args[0]) {
		return
	}
	rest = args[1:]
	if i := slices.Index(rest, "--"); i >= 0 {
		rest = rest[i+1:]
	} else {
		for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
			taken := 1
			if !strings.Contains(rest[0], "=") {
				taken = min(2, len(rest)) // the version that is asked for
			}
			rest = rest[taken:]
		}
	}
	if len(rest) == 0 {
		return
	}
	return rest[0], rest[1:], fmt.Sprintf("without %s, which chooses a version of it on one machine", name)
}

var assignment = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)

// unwrapEnv takes away env, and sets its variables in "env".
func (c *conversion) unwrapEnv(args []string) (inner string, rest []string, why string) {
	rest = args
	var set [][]string
	for len(rest) > 0 {
		m := assignment.FindStringSubmatch(rest[0])
		if m == nil {
			break
		}
		set, rest = append(set, m), rest[1:]
	}
	if len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
		return "", nil, "" // an option, which a person must read
	}
	for _, m := range set {
		c.setEnv(m[1], m[2], true)
	}
	return rest[0], rest[1:], `without env, whose variables are in "env"`
}
