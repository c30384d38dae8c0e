package secret

import (
	"slices"
	"strings"
	"unicode"
)

// Parts of names, in upper case and without what separates words.
var (
	// anywhere in a name they make its value a secret.
	secretParts = []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CONNSTR", "CONNECTIONSTRING", "COOKIE", "AZUREWEBJOBSSTORAGE"}
	// as a word of a name they do.
	secretWords = []string{"PWD", "PASS", "PAT", "DSN", "SAS", "AUTH", "AUTHORIZATION", "BEARER", "JWT", "CONNECTION", "OTP"}
	// at the end of a name they say that the value is something about a secret: where it is, which one, or
	// how it is used.
	aboutSecrets = []string{"URL", "URI", "FILE", "PATH", "DIR", "ID", "NAME", "HOST", "ISSUER", "ENDPOINT", "MODE", "METHOD", "TYPE",
		"HEADER", "LIMIT", "TTL", "ALG", "AUDIENCE", "SCOPE", "SCOPES", "SOCK", "PROVIDER", "ENABLED"}
	// before "URL" they say that it is of something that asks for a password.
	stores = []string{"DATABASE", "DB", "SQL", "REDIS", "MONGO", "MONGODB", "POSTGRES", "POSTGRESQL", "PG", "MYSQL", "MARIADB", "AMQP",
		"RABBITMQ", "BROKER", "CELERY", "INDEX", "WEBHOOK"}
)

// Named reports whether a variable, an option or a key of that name holds a secret.
func Named(name string) bool {
	words := split(name)
	if len(words) == 0 || len(words) == 1 && words[0] == "PWD" { // a shell's working directory
		return false
	}
	last, flat := words[len(words)-1], strings.Join(words, "")
	if strings.HasSuffix(flat, "ACCESSKEYID") || flat == "IDENTITYHEADER" { // the latter opens the app's managed identity
		return true
	}
	if slices.Contains(aboutSecrets, last) || strings.HasSuffix(flat, "PUBLICKEY") {
		return false
	}
	if last == "TOKENS" && slices.ContainsFunc([]string{"MAX", "MIN", "NUM"}, func(w string) bool { return slices.Contains(words, w) }) {
		return false // of text
	}
	return slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(flat, part) }) ||
		slices.ContainsFunc(words, func(word string) bool {
			return strings.HasSuffix(word, "KEY") || strings.HasSuffix(word, "KEYS") || slices.Contains(secretWords, word)
		})
}

// InURL reports whether a variable of that name holds a URL that may have a user's password in it: of a
// proxy, a package index, a database.
func InURL(name string) bool {
	words := split(name)
	if len(words) == 0 {
		return false
	}
	last, flat := words[len(words)-1], strings.Join(words, "")
	switch {
	case slices.Contains(words, "PROXY") || strings.HasSuffix(flat, "PROXY"):
		return words[0] != "NO" && flat != "NOPROXY"
	case last == "URL" || last == "URI":
		return slices.ContainsFunc(stores, func(store string) bool { return slices.Contains(words, store) })
	}
	return last == "INDEX" || last == "REGISTRY" || strings.HasSuffix(flat, "FINDLINKS")
}

// Setting reports whether the value of an app setting of that name is kept as a secret: it is one, or may
// have one in it.
func Setting(name string) bool { return Named(name) || InURL(name) }

// split returns the words of a name, in upper case: API_KEY, api-key and apiKey are the same two.
func split(name string) []string {
	var words []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, strings.ToUpper(string(word)))
		}
		word = nil
	}
	var before rune
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
		case unicode.IsUpper(r) && unicode.IsLower(before):
			end()
			fallthrough
		default:
			word = append(word, r)
		}
		before = r
	}
	end()
	return words
}
