package doctor

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// tokenShapes are secrets that can be told by their look, as their issuers document it. The first
// that matches names the secret.
var tokenShapes = []struct {
	what  string
	shape *regexp.Regexp
}{
	{"a GitHub token", regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})`)},
	{"a GitLab token", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{"an AWS access key", regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{"a Slack token", regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`)},
	{"an API key", regexp.MustCompile(`\b(sk|rk)[-_](ant-|proj-|live[-_]|test[-_]|[A-Za-z0-9]{16,})[A-Za-z0-9_-]{8,}`)},
	{"a Google API key", regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`)},
	{"a package registry's token", regexp.MustCompile(`\b(npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{30,}|hf_[A-Za-z0-9]{30,})`)},
	{"a client secret of Entra ID", regexp.MustCompile(`(^|[^\w~.-])[\w~.-]{3}[78]Q~[\w~.-]{30,36}($|[^\w~.-])`)},
	{"an Azure key", regexp.MustCompile(`(AzFu[A-Za-z0-9_-]{6,}|AzSe[A-Za-z0-9+/]{6,}|\+ASt[A-Za-z0-9+/]{4,}|ACDb[A-Za-z0-9+/]{4,})={0,2}$`)},
	{"a connection string with its key", regexp.MustCompile(`(?i)\b(AccountKey|SharedAccessKey|SharedSecret|Password|Pwd)\s*=\s*[^;\s$]{4,}`)},
	{"a shared access signature", regexp.MustCompile(`[?&;]sig=[A-Za-z0-9%+/]{30,}`)},
	{"a JSON Web Token", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*`)},
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{"an Authorization header", regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/-]{8,}=*`)},
	{"a URL with a password", regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@${}]{3,}@`)},
}

// secretAdvice finds secrets that are written out in env and args. Whoever reads the file, its
// history or the published package has them.
func secretAdvice(file *config.File, s config.Server) []Advice {
	var all []Advice
	found := func(key, variable, what string) {
		all = append(all, advise(RuleSecrets, file, &s, key,
			fmt.Sprintf("write ${%s}, and set %s as an app setting, or as a Key Vault reference; then make a new secret, as this one has been seen", variable, variable),
			"holds what looks like %s", what))
	}
	names := make([]string, 0, len(s.Env))
	for name := range s.Env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if what, ok := looksSecret(name, s.Env[name]); ok {
			found("env."+name, name, what)
		}
	}
	option := "" // the argument before, if its value is this one
	for i, arg := range s.Args {
		name, value := option, arg
		left, right, joined := strings.Cut(arg, "=")
		option = ""
		switch {
		case strings.HasPrefix(arg, "-") && !joined:
			option = arg
			continue
		case strings.HasPrefix(arg, "-"), joined && envName.MatchString(left): // docker run -e NAME=VALUE
			name, value = left, right
		}
		if what, ok := looksSecret(variableOf(name), value); ok {
			found(fmt.Sprintf("args[%d]", i), cmp.Or(variableOf(name), variableOf(s.Name)+"_SECRET"), what)
		}
	}
	return all
}

var (
	envName  = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
	notWords = regexp.MustCompile(`[^A-Z0-9]+`)
)

// variableOf turns an option or a name into that of a variable: --api-key is API_KEY.
func variableOf(name string) string {
	return strings.Trim(notWords.ReplaceAllString(strings.ToUpper(name), "_"), "_")
}

// looksSecret says what kind of secret a value looks like: by its shape, or because its name says so.
func looksSecret(name, value string) (what string, ok bool) {
	if what, ok := shaped(value); ok {
		return what, true
	}
	if namesSecret(name) && !harmless(value) {
		return "a secret, by its name", true
	}
	return "", false
}

// shaped says what kind of secret a value looks like by itself.
func shaped(value string) (what string, ok bool) {
	for _, t := range tokenShapes {
		if t.shape.MatchString(value) {
			return t.what, true
		}
	}
	if random(value) {
		return "a random key", true
	}
	return "", false
}

// aboutSecrets end names that sound like a secret and hold something else: where it is, which one,
// or how it is used.
var aboutSecrets = words("_URL _URI _FILE _PATH _DIR _ID _NAME _HOST _ISSUER _ENDPOINT _MODE _METHOD _TYPE _HEADER _LIMIT _TTL _ALG _AUDIENCE _SCOPE _SCOPES _CREDENTIALS")

// namesSecret reports whether a variable of that name is likely to hold a secret.
func namesSecret(name string) bool {
	upper := strings.ToUpper(name)
	if slices.ContainsFunc(aboutSecrets, func(end string) bool { return strings.HasSuffix(upper, end) }) {
		return false
	}
	if strings.HasSuffix(upper, "KEY") || strings.HasSuffix(upper, "_PWD") || upper == "PASS" || strings.HasSuffix(upper, "_PASS") {
		return true
	}
	// What only says AUTH is as often AUTHOR, AUTHORITY or AUTH=basic.
	return authenv.SoundsSecret(strings.ReplaceAll(upper, "AUTH", "")) && !strings.HasSuffix(upper, "TOKENS")
}

var plain = regexp.MustCompile(`^(-?[0-9.]+|true|false|yes|no|on|off|none|null)$`)

// harmless reports whether a value is no secret whatever its name: a reference, a number, a switch,
// a path, or too short to be one.
func harmless(value string) bool {
	return len(value) < 4 || strings.Contains(value, "${") || localPath.MatchString(value) || plain.MatchString(strings.ToLower(value))
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
