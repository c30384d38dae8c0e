package hostemu

import (
	"crypto/sha256"
	"crypto/subtle"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Keys are the access keys that EnforceKeys asks for, in x-functions-key or ?code=.
type Keys struct {
	Master   string
	Host     map[string]string            // any function
	System   map[string]string            // an extension's webhook; no function
	Function map[string]map[string]string // by function name
}

// admits reports whether a request may call f. A function's key opens that function, a host key every
// function, the master key all.
func (k Keys) admits(r *http.Request, f Function) bool {
	switch level(f.AuthLevel) {
	case levelAnonymous:
		return true
	case levelFunction:
		return known(r, k.Host) || known(r, k.Function[f.Name]) || k.isMaster(r)
	}
	return k.isMaster(r)
}

// admitsAdmin returns the status of a request to a path of the host's own: a key that opens something
// else is known, and forbidden.
func (k Keys) admitsAdmin(r *http.Request) int {
	switch {
	case k.isMaster(r):
		return http.StatusOK
	case known(r, k.Host), known(r, k.System):
		return http.StatusForbidden
	}
	return http.StatusUnauthorized
}

// isMaster reports whether a request carries the master key.
func (k Keys) isMaster(r *http.Request) bool { return known(r, map[string]string{"": k.Master}) }

// known reports whether a request carries one of the keys. It compares digests, so that the time tells
// nothing of them.
func known(r *http.Request, keys map[string]string) bool {
	digest := sha256.Sum256([]byte(givenKey(r)))
	found := 0
	for _, key := range slices.Sorted(maps.Values(keys)) {
		if key == "" {
			continue
		}
		want := sha256.Sum256([]byte(key))
		found |= subtle.ConstantTimeCompare(digest[:], want[:])
	}
	return found == 1
}

// givenKey is the key that counts: the first header, even an empty one, else the first "code" of the
// query, in any case.
func givenKey(r *http.Request) string {
	if values := r.Header.Values("X-Functions-Key"); len(values) > 0 {
		return values[0]
	}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(queryText(name), "code") {
			return queryText(value)
		}
	}
	return ""
}

// queryText decodes a piece of a query; what is not encoded well stays as it is.
func queryText(text string) string {
	decoded, err := url.QueryUnescape(text)
	if err != nil {
		return text
	}
	return decoded
}
