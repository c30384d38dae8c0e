package secret

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
)

// minBytes is how long a value must be to be taken out wherever it stands. A shorter one is in too many
// words that say something else.
const minBytes = 6

// Values collects what a Redactor is to know. The zero value is ready to use.
type Values struct{ seen map[string]bool }

// Know adds values that are secrets.
func (v *Values) Know(values ...string) {
	for _, value := range values {
		v.add(value)
		for _, piece := range pieces(value) {
			v.add(piece)
		}
	}
}

// Read adds values that were put in place of ${NAME}: secrets, except for numbers, switches and the like, which
// would be taken out of everything that is said.
func (v *Values) Read(values ...string) {
	for _, value := range values {
		if text := strings.ToLower(strings.TrimSpace(value)); !plain.MatchString(text) && !howUsed.MatchString(text) {
			v.Know(value)
		}
	}
}

// Setting adds the value of a variable, an option or a key if its name or its look says that it is a secret,
// or has one in it.
func (v *Values) Setting(name, value string) {
	if _, looks := Looks(name, value); looks || Named(name) {
		v.Read(value)
		return
	}
	v.Know(userinfo(value)...)
}

// Environ adds what the names of an environment say to be secrets, and the credentials in its URLs.
func (v *Values) Environ(environ []string) {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if Named(name) {
			v.Read(value)
			continue
		}
		v.Know(userinfo(value)...)
	}
}

// Args adds the secrets of a command line.
func (v *Values) Args(args []string) {
	for _, a := range Args(args) {
		v.Setting(a.Name, a.Value)
	}
}

func (v *Values) add(value string) {
	value = strings.TrimSpace(value)
	if len(value) < minBytes {
		return
	}
	if v.seen == nil {
		v.seen = map[string]bool{}
	}
	for _, spelling := range spellings(value) {
		v.seen[spelling] = true
	}
}

// minLine is how long a line of a value must be to be taken out by itself.
const minLine = 8

// pieces returns what a program may print of a value by itself: the lines of a key in PEM, the password of a
// URL or of a connection string, the members of a JSON object.
func pieces(value string) []string {
	found := userinfo(value)
	if lines := strings.FieldsFunc(strings.ReplaceAll(value, `\n`, "\n"), func(r rune) bool { return r == '\n' || r == '\r' }); len(lines) > 1 {
		for _, line := range lines {
			if line = strings.TrimSpace(line); len(line) >= minLine && !strings.HasPrefix(line, "-----") {
				found = append(found, line)
			}
		}
	}
	if parts := strings.Split(value, ";"); len(parts) > 1 {
		for _, part := range parts {
			if name, rest, ok := strings.Cut(part, "="); ok && Named(name) {
				found = append(found, rest)
			}
		}
	}
	if text := strings.TrimSpace(value); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		var doc any
		if json.Unmarshal([]byte(text), &doc) == nil {
			found = append(found, members("", doc)...)
		}
	}
	return found
}

// members returns the secrets within a JSON value, and their pieces.
func members(name string, doc any) (found []string) {
	switch doc := doc.(type) {
	case map[string]any:
		for name, value := range doc {
			found = append(found, members(name, value)...)
		}
	case []any:
		for _, value := range doc {
			found = append(found, members(name, value)...)
		}
	case string:
		if _, looks := Looks(name, doc); looks || Named(name) {
			found = append(found, doc)
			if len(doc) > 0 && doc[0] != '{' && doc[0] != '[' { // which are JSON in JSON
				found = append(found, pieces(doc)...)
			}
		}
	}
	return found
}

var withUser = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://([^/\s@]*)@`)

// userinfo returns the credentials of the URLs in a value: the password, or the user without a password, as
// they are written and as they are meant.
func userinfo(value string) (found []string) {
	for _, m := range withUser.FindAllStringSubmatch(value, -1) {
		user, password, ok := strings.Cut(m[1], ":")
		if !ok {
			password = user // a token, as git and package indexes take it
		}
		if meant, err := url.PathUnescape(password); err == nil {
			found = append(found, meant)
		}
		found = append(found, password, m[1])
	}
	return found
}
