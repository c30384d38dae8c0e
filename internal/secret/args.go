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
