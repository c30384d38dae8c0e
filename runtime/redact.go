package mcpfunc

import (
	"regexp"
	"sort"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
)

// redacted stands where a secret was.
const redacted = "[redacted]"

// patterns are of secrets that can be told by their form: JSON web tokens, bearer tokens, keys of
// well-known services, and what follows a word that announces one.
var patterns = regexp.MustCompile(strings.Join([]string{
	`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`,
	`(?i:bearer)\s+[A-Za-z0-9._~+/=-]{12,}`,
	`gh[pousr]_[A-Za-z0-9]{20,}`,
	`github_pat_[A-Za-z0-9_]{20,}`,
	`xox[abprs]-[A-Za-z0-9-]{10,}`,
	`sk-[A-Za-z0-9_-]{20,}`,
	`AKIA[0-9A-Z]{16}`,
	`(?i:AccountKey|SharedAccessKey|sig|password|pwd|client_secret|api[_-]?key)\s*[=:]\s*[^\s;&"',]{6,}`,
}, "|"))

// A redactor takes secrets out of what processes print before it reaches a log or a client.
type redactor struct{ known *strings.Replacer }

// newRedactor returns a redactor that knows secrets of the app and the values of servers that are
// secret by the name of their variable. The longest goes first, since one may be part of another.
func newRedactor(servers []Server, secrets ...string) *redactor {
	seen := map[string]bool{}
	for _, value := range secrets {
		if value = strings.TrimSpace(value); len(value) >= 6 {
			seen[value] = true
		}
	}
	for _, s := range servers {
		for name, value := range s.Env {
			if authenv.SoundsSecret(name) && len(value) >= 6 {
				seen[value] = true
			}
		}
		for _, value := range []string{s.method.AzureClientSecret, s.method.OAuth2IntrospectionClientSecret} {
			if len(value) >= 6 {
				seen[value] = true
			}
		}
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
	return &redactor{strings.NewReplacer(pairs...)}
}

func (r *redactor) redact(text string) string {
	return patterns.ReplaceAllString(r.known.Replace(text), redacted)
}
