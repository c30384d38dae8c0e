package secret

import (
	"regexp"
	"strings"
)

// An Argument is the value that an argument of a command line has, and its name.
type Argument struct {
	Index int    // of the argument that holds the value
	Name  string // of its option or variable; empty: it has none
	Value string
}

var envName = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

// Args goes through a command line: --name VALUE, --name=VALUE, NAME=VALUE as docker run -e has it, --env=NAME=VALUE,
// and what has no name.
func Args(args []string) []Argument {
	var all []Argument
	option := "" // the argument before, if its value is this one
	for i, arg := range args {
		name, value := option, arg
		left, right, joined := strings.Cut(arg, "=")
		option = ""
		switch {
		case strings.HasPrefix(arg, "-") && !joined:
			option = arg
			continue
		case strings.HasPrefix(arg, "-"), joined && envName.MatchString(left):
			name, value = left, right
			if inner, rest, ok := strings.Cut(right, "="); ok && envName.MatchString(inner) { // --env=NAME=VALUE
				name, value = inner, rest
			}
		}
		all = append(all, Argument{Index: i, Name: Variable(name), Value: value})
	}
	return all
}

var notWords = regexp.MustCompile(`[^A-Z0-9]+`)

// Variable turns the name of an option into that of a variable: --api-key is API_KEY.
func Variable(option string) string {
	return strings.Trim(notWords.ReplaceAllString(strings.ToUpper(option), "_"), "_")
}

// HideArgs returns a command line without the secrets that are written out in it.
func HideArgs(args []string) []string {
	shown := append([]string(nil), args...)
	for _, a := range Args(args) {
		if strings.Contains(a.Value, "${") || a.Value == "" {
			continue
		}
		if _, looks := Looks(a.Name, a.Value); looks || Named(a.Name) {
			arg := args[a.Index]
			shown[a.Index] = hideShapes(arg[:len(arg)-len(a.Value)]) + hidden(a)
		}
	}
	return shown
}

// hidden is the value of an argument as it may be shown: what of it says nothing stays.
func hidden(a Argument) string {
	if text := hideShapes(a.Value); text != a.Value && !Named(a.Name) {
		return text
	}
	return Redacted
}
