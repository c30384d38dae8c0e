package secret

import (
	"regexp"
	"strings"
)

// Looks says what kind of secret a value that is written out looks like: by its shape, or because the name
// of its variable or option says so.
func Looks(name, value string) (what string, ok bool) {
	if what, ok := Shape(value); ok {
		return what, true
	}
	if Named(name) && !harmless(value) {
		return "a secret, by its name", true
	}
	return "", false
}

var (
	plain     = regexp.MustCompile(`^(-?[0-9.]+|true|false|yes|no|on|off|none|null)$`)
	howUsed   = regexp.MustCompile(`^(basic|bearer|digest|negotiate|oauth2?|default|auto|required|optional|always|never)$`)
	localPath = regexp.MustCompile(`^(\.|/|~|file:|[A-Za-z]:[\\/])`)
)

// harmless reports whether a value is not a secret whatever its name: a reference, a number, a switch,
// a path, or too short to be one.
func harmless(value string) bool {
	lower := strings.ToLower(value)
	return len(value) < 4 || strings.Contains(value, "${") || localPath.MatchString(value) || plain.MatchString(lower) || howUsed.MatchString(lower)
}
