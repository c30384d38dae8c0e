package mcpfunc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
)

// redacted stands where a secret was.
const redacted = "[redacted]"

// patterns are of secrets that can be told by their form: JSON web tokens, bearer tokens, keys of
// well-known services, and what follows a word that announces one, in text or in JSON.
var patterns = regexp.MustCompile(strings.Join([]string{
	`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`,
	`(?i:bearer)\s+[A-Za-z0-9._~+/=-]{12,}`,
	`gh[pousr]_[A-Za-z0-9]{20,}`,
	`github_pat_[A-Za-z0-9_]{20,}`,
	`xox[abprs]-[A-Za-z0-9-]{10,}`,
	`sk-[A-Za-z0-9_-]{20,}`,
	`AKIA[0-9A-Z]{16}`,
	`(?P<name>(?i:AccountKey|SharedAccessKey|sig|password|pwd|client_secret|api[_-]?key)\\?["']?\s*[=:]\s*\\?["']?)[^\s;&"',\\]{6,}`,
}, "|"))

// A redactor takes secrets out of what processes print before it reaches a log or a client.
type redactor struct {
	known   *strings.Replacer
	longest int // bytes of a secret that is known
}

// newRedactor returns a redactor that knows secrets of the app and the values of servers that are
// secret by the name of their variable, as they are and as JSON may write them. The longest goes
// first, since one may be part of another.
func newRedactor(servers []Server, secrets ...string) *redactor {
	seen := map[string]bool{}
	add := func(value string) {
		if len(value) < 6 {
			return
		}
		for _, spelling := range spellings(value) {
			seen[spelling] = true
		}
	}
	for _, value := range secrets {
		add(strings.TrimSpace(value))
	}
	for _, s := range servers {
		for name, value := range s.Env {
			if authenv.SoundsSecret(name) {
				add(value)
			}
		}
		add(s.method.AzureClientSecret)
		add(s.method.OAuth2IntrospectionClientSecret)
	}
	values := make([]string, 0, len(seen))
	for v := range seen {
		values = append(values, v)
	}
	sort.Slice(values, func(i, j int) bool { return len(values[i]) > len(values[j]) })
	var pairs []string
	for _, v := range values {
		pairs = append(pairs, v, redacted)
	}
	r := &redactor{known: strings.NewReplacer(pairs...)}
	if len(values) > 0 {
		r.longest = len(values[0])
	}
	return r
}

// spellings returns text and what writers of JSON make of it within a string: the least that must be
// escaped, "<" for HTML as well, "/" as well, and all that is not ASCII.
func spellings(text string) []string {
	html, _ := json.Marshal(text) // a string can be written
	var least bytes.Buffer
	enc := json.NewEncoder(&least)
	enc.SetEscapeHTML(false)
	enc.Encode(text)
	quoted := strings.TrimSuffix(least.String(), "\n")
	quoted = quoted[1 : len(quoted)-1]
	var ascii strings.Builder
	for _, c := range quoted {
		if c < utf8.RuneSelf {
			ascii.WriteRune(c)
			continue
		}
		for _, unit := range utf16.Encode([]rune{c}) {
			fmt.Fprintf(&ascii, "\\u%04x", unit)
		}
	}
	return []string{text, quoted, string(html[1 : len(html)-1]), strings.ReplaceAll(quoted, "/", `\/`), ascii.String()}
}

func (r *redactor) redact(text string) string {
	return patterns.ReplaceAllString(r.known.Replace(text), "${name}"+redacted)
}

// tokenBytes is how long a token may be that is told by its form, where a text is cut.
const tokenBytes = 8 << 10

// overhang is how many bytes must be seen beyond a cut for redact to find a secret that it would go
// through.
func (r *redactor) overhang() int { return max(r.longest, tokenBytes) }
