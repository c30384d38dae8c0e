package secret

import (
	"math"
	"regexp"
	"slices"
	"strings"
)

// A shape is a form of secrets by which they can be told, as those who issue them document it.
type shape struct {
	what  string
	hints []string       // one of them is in every text that has it, in lower case; none: look at each
	value *regexp.Regexp // in the value of a setting; nil: there the name says so
	text  *regexp.Regexp // in what a program prints, if not as in a value; what keep and tail match stays
}

var shapes = []shape{
	{what: "a GitHub token", hints: []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"},
		value: regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})`)},
	{what: "a GitLab token", hints: []string{"glpat-"}, value: regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{what: "an AWS access key", hints: []string{"akia", "asia"}, value: regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{what: "a Slack token", hints: []string{"xox"}, value: regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`)},
	{what: "an API key", hints: []string{"sk-", "sk_", "rk-", "rk_"},
		value: regexp.MustCompile(`\b(sk|rk)[-_](ant-|proj-|svcacct-|or-v1-|live[-_]|test[-_]|[A-Za-z0-9]{16,})[A-Za-z0-9_-]{8,}`)},
	{what: "a Google API key", hints: []string{"aiza"}, value: regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`)},
	{what: "a package registry token", hints: []string{"npm_", "pypi-", "hf_"},
		value: regexp.MustCompile(`\b(npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{30,}|hf_[A-Za-z0-9]{30,})`)},
	{what: "an Entra ID client secret", hints: []string{"q~"},
		value: regexp.MustCompile(`(?P<keep>^|[^\w~.-])[\w~.-]{3}[78]Q~[\w~.-]{30,36}(?P<tail>$|[^\w~.-])`)},
	{what: "an Azure key", hints: []string{"azfu", "azse", "+ast", "acdb"},
		value: regexp.MustCompile(`[A-Za-z0-9+/_-]{16,}(AzFu|AzSe|\+ASt|ACDb)[A-Za-z0-9+/_-]{4,}={0,2}`)},
	{what: "a connection string with its key", hints: []string{"key", "secret", "password", "pwd"},
		value: regexp.MustCompile(`(?i)(?P<keep>\b(AccountKey|SharedAccessKey|SharedSecret|Password|Pwd)\s*=\s*)[^;\s$]{4,}`)},
	{what: "a shared access signature", hints: []string{"sig="}, value: regexp.MustCompile(`(?P<keep>[?&;]sig=)[A-Za-z0-9%+/]{30,}=*`)},
	{what: "a JSON Web Token", hints: []string{"eyj"},
		value: regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*`),
		text:  regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){2,4}`)},
	{what: "a private key", hints: []string{"private key"}, value: regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`),
		text: regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----([A-Za-z0-9+/=\s\\]*-----END [A-Z ]*PRIVATE KEY-----|[A-Za-z0-9+/=\s\\]*)`)},
	{what: "an Authorization header", hints: []string{"bearer", "basic"}, value: regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/-]{8,}=*`),
		text: regexp.MustCompile(`(?i)\b(bearer\s+[A-Za-z0-9._~+/-]{12,}|basic\s+[A-Za-z0-9+/]{16,})=*`)},
	{what: "a URL with a password", hints: []string{"://"}, value: regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@${}]{3,}@`),
		text: regexp.MustCompile(`(?P<keep>[a-z][a-z0-9+.-]*://[^/\s:@]*:)[^/\s@]+(?P<tail>@)`)},
	{what: "a labeled secret", hints: []string{"key", "sig", "password", "passwd", "passphrase", "pwd", "secret", "token"},
		text: regexp.MustCompile(`(?i)(?P<keep>(AccountKey|SharedAccessKey|sig|password|passwd|passphrase|pwd|client_secret|secret_?key|private_?key|(access|refresh|id)_token|api[_-]?key)\\*["']?\s*[=:]\s*\\*["']?)[^\s;&"',\\]{6,}`)},
}

// Shape says what kind of secret a value looks like by itself. It reports false for one that looks like
// none.
func Shape(value string) (what string, ok bool) {
	lower := strings.ToLower(value)
	for i := range shapes {
		if s := &shapes[i]; s.value != nil && s.hinted(lower) && s.value.MatchString(value) {
			return s.what, true
		}
	}
	if random(value) {
		return "a random key", true
	}
	return "", false
}

// hideShapes takes out of a text what can be told by its form.
func hideShapes(text string) string {
	lower := strings.ToLower(text)
	for i := range shapes {
		s := &shapes[i]
		if !s.hinted(lower) {
			continue
		}
		re := s.text
		if re == nil {
			re = s.value
		}
		text = re.ReplaceAllString(text, "${keep}"+Redacted+"${tail}")
	}
	return text
}

// hinted reports whether a text, in lower case, may have the shape. To look for a few words costs a
// hundredth of what it costs to match.
func (s *shape) hinted(lower string) bool {
	return slices.ContainsFunc(s.hints, func(hint string) bool { return strings.Contains(lower, hint) })
}

var (
	randomText = regexp.MustCompile(`^[A-Za-z0-9+_-]{24,}={0,2}$`)
	hexText    = regexp.MustCompile(`^[0-9a-fA-F]{32,}$`)
	upperText  = regexp.MustCompile(`[A-Z]`)
	lowerText  = regexp.MustCompile(`[a-z]`)
	digitText  = regexp.MustCompile(`[0-9](.*[0-9]){2}`)
)

// random reports whether a value is one word of letters and digits without any order in it. Hex
// needs 32 digits (16 bytes); commits and digests of that look are named, and so not whole values.
// Other words need 24 characters of three kinds, three digits among them, and 3.9 bits each: names,
// which are the nearest to it among what arguments hold, stay below.
func random(value string) bool {
	switch {
	case hexText.MatchString(value):
		return entropy(strings.ToLower(value)) >= 3
	case !randomText.MatchString(value), strings.Count(value, "-")+strings.Count(value, "_") > 2:
		return false
	}
	return upperText.MatchString(value) && lowerText.MatchString(value) && digitText.MatchString(value) && entropy(value) >= 3.9
}

// entropy is Shannon's, in bits a character.
func entropy(s string) float64 {
	counts := map[rune]float64{}
	for _, r := range s {
		counts[r]++
	}
	bits := 0.0
	for _, n := range counts {
		p := n / float64(len(s))
		bits -= p * math.Log2(p)
	}
	return bits
}
