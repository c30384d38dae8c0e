package hostemu

import (
	"crypto/sha256"
	"crypto/subtle"
	"maps"
	"net/http"
	"slices"
)

// admits reports whether a request may call f. The header wins over the query even when its key is
// wrong. A function's key opens that function, a host key every function, the master key all.
func (k Keys) admits(r *http.Request, f Function) bool {
	switch level(f.AuthLevel) {
	case levelAnonymous:
		return true
	case levelFunction:
		return k.known(r, slices.Concat(
			slices.Collect(maps.Values(k.Host)),
			slices.Collect(maps.Values(k.Function[f.Name])),
			[]string{k.Master}))
	}
	return k.admitsAdmin(r)
}

// admitsAdmin reports whether a request carries the master key.
func (k Keys) admitsAdmin(r *http.Request) bool { return k.known(r, []string{k.Master}) }

// known compares digests, so that the time tells nothing of the keys.
func (k Keys) known(r *http.Request, keys []string) bool {
	given := r.Header.Get("X-Functions-Key")
	if given == "" {
		given = r.URL.Query().Get("code")
	}
	digest := sha256.Sum256([]byte(given))
	found := 0
	for _, key := range keys {
		if key == "" {
			continue
		}
		want := sha256.Sum256([]byte(key))
		found |= subtle.ConstantTimeCompare(digest[:], want[:])
	}
	return found == 1
}
