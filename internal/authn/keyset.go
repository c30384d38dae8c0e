package authn

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
)

const maxKeys = 1000 // a set with more is refused

// A key is a public key that may verify signatures.
type key struct {
	id     string // "" when the set does not name it
	alg    string // "" when the set does not restrict it
	issuer string // Entra: whose tokens it signs, perhaps with {tenantid}
	public crypto.PublicKey
}

// fits reports whether k may be used with alg: by its type, and by what the set says of it.
func (k key) fits(alg string) bool {
	return (k.alg == "" || k.alg == alg) && suits(alg, k.public)
}

// A keySet is the usable part of a JWK set (RFC 7517, section 5). It is not changed once made.
type keySet []key

// parseKeySet reads a JWK set and keeps the keys that are fit to verify with. The others are named
// in dropped, for the log: one odd key must not take away the good ones. A set without any good key
// is an error, as it would lock everyone out where the previous set would not.
func parseKeySet(data []byte) (set keySet, dropped []error, err error) {
	object, err := decodeObject(data)
	if err != nil {
		return nil, nil, fmt.Errorf("key set: %w", err)
	}
	members, ok := object["keys"].([]any)
	if !ok {
		return nil, nil, errors.New(`key set: no list "keys"`)
	}
	if len(members) > maxKeys {
		return nil, nil, fmt.Errorf("key set: %d keys, want at most %d", len(members), maxKeys)
	}
	seen := make(map[string]int)
	for _, m := range members {
		member, _ := m.(map[string]any)
		if id, ok := member["kid"].(string); ok {
			seen[id]++
		}
	}
	for i, m := range members {
		k, err := parseKey(m)
		switch {
		case err != nil:
			dropped = append(dropped, fmt.Errorf("key %d: %w", i, err))
		case k.id != "" && seen[k.id] > 1:
			// Which of them was meant cannot be known.
			dropped = append(dropped, fmt.Errorf("key %d: kid %s is used %d times", i, printable(k.id), seen[k.id]))
		default:
			set = append(set, k)
		}
	}
	if len(set) == 0 {
		return nil, dropped, errors.Join(append([]error{errors.New("key set: no usable key")}, dropped...)...)
	}
	return set, dropped, nil
}

// find returns the key for a token. A token without kid is only unambiguous when one key alone fits.
func (s keySet) find(alg, kid string) (key, bool) {
	var found []key
	for _, k := range s {
		if kid != "" && k.id == kid || kid == "" && k.fits(alg) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return key{}, false
	}
	return found[0], true
}

// parseKey reads one member of a set and says why it is not to be used, if so.
func parseKey(member any) (key, error) {
	m, ok := member.(map[string]any)
	if !ok {
		return key{}, errors.New("not an object")
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, ok := m[name]; ok {
			return key{}, fmt.Errorf("%s does not belong in a public key", name)
		}
	}
	var k key
	for name, field := range map[string]*string{"kid": &k.id, "alg": &k.alg, "issuer": &k.issuer} {
		if v, ok := m[name]; ok {
			if *field, ok = v.(string); !ok {
				return key{}, fmt.Errorf("%s is not a string", name)
			}
		}
	}
	if len(k.id) > maxKeyID {
		return key{}, fmt.Errorf("kid is longer than %d bytes", maxKeyID)
	}
	if use, ok := m["use"]; ok && use != "sig" {
		return key{}, fmt.Errorf("use is %s", printable(fmt.Sprint(use)))
	}
	if ops, ok := m["key_ops"]; ok && !permitsVerify(ops) {
		return key{}, errors.New("key_ops does not permit verify")
	}
	var err error
	if k.public, err = publicKey(m); err != nil {
		return key{}, err
	}
	return k, nil
}

func permitsVerify(ops any) bool {
	list, _ := ops.([]any)
	return slices.Contains(list, any("verify"))
}
