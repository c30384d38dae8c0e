package authn

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// allAlgorithms are all that can be verified with a public key; a guard permits fewer.
func allAlgorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// TestWycheproofInvalidTokensAreRefused runs the vectors of Project Wycheproof. No invalid one may
// pass. Of the valid ones those are refused that the rules here exclude: every HMAC, and keys whose
// alg is another one than the token's.
func TestWycheproofInvalidTokensAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		file                     string
		invalid, accepted, valid int // as counted in the files at their pinned commit
		refused                  map[string]int
	}{
		{"json_web_signature", 355, 32, 46, map[string]int{"HMAC": 10, "alg of the key": 4}},
		{"json_web_key", 21, 1, 5, map[string]int{"HMAC": 4}},
		{"json_web_crypto", 45, 2, 4, map[string]int{"HMAC": 2}},
	} {
		t.Run(test.file, func(t *testing.T) {
			var invalid, valid, accepted int
			refused := make(map[string]int)
			for _, v := range readWycheproof(t, test.file) {
				err := v.verify()
				switch {
				case v.Result != "valid":
					invalid++
					if err == nil {
						t.Errorf("%d (%s, %s): invalid and accepted", v.ID, v.group, v.Comment)
					}
				case err == nil:
					valid++
					accepted++
				case bytes.Contains(v.keys, []byte(`"kty":"oct"`)):
					valid++
					refused["HMAC"]++
				default:
					valid++
					refused["alg of the key"]++
					t.Logf("%d (%s, %s): valid and refused: %v", v.ID, v.group, v.Comment, err)
				}
			}
			t.Logf("%d invalid; %d valid, of them %d accepted, refused for %v", invalid, valid, accepted, refused)
			if invalid != test.invalid || valid != test.valid || accepted != test.accepted {
				t.Errorf("%d invalid, %d valid, %d of them accepted; want %d, %d, %d",
					invalid, valid, accepted, test.invalid, test.valid, test.accepted)
			}
			for why, want := range test.refused {
				if refused[why] != want {
					t.Errorf("%d valid vectors refused for %s, want %d", refused[why], why, want)
				}
			}
		})
	}
}

type wycheproofVector struct {
	ID      int    `json:"tcId"`
	Comment string `json:"comment"`
	Result  string `json:"result"`

	// RawJWS is absent in vectors for JWE, and an object where the vector is that the JWS has the
	// JSON serialization.
	RawJWS json.RawMessage `json:"jws"`

	group string
	token string
	keys  []byte // a JWK set, compact
}

func (v wycheproofVector) verify() error {
	j, err := parseJWS(v.token, allAlgorithms())
	if err != nil {
		return err
	}
	set, _, err := parseKeySet(v.keys)
	if err != nil {
		return err
	}
	k, ok := set.find(j.alg, j.kid)
	if !ok {
		// Some vectors have a kid in the token or in the key only. A relying party of a real set
		// would stop here; a single key is tried anyway, as the vectors are about what follows.
		if len(set) > 1 {
			return os.ErrNotExist
		}
		k = set[0]
	}
	return j.verify(k)
}

// readWycheproof returns the JWS vectors of a file; one of the files has JWE too.
func readWycheproof(t *testing.T, name string) []wycheproofVector {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "wycheproof", name+"_test.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct {
			Comment         string
			Public, Private json.RawMessage
			Tests           []wycheproofVector
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	var all []wycheproofVector
	for _, g := range file.TestGroups {
		keys := g.Public
		if keys == nil {
			keys = g.Private
		}
		var set struct{ Keys json.RawMessage }
		if err := json.Unmarshal(keys, &set); err != nil {
			t.Fatal(err)
		}
		if set.Keys == nil {
			keys = []byte(`{"keys":[` + string(keys) + `]}`)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, keys); err != nil {
			t.Fatal(err)
		}
		for _, v := range g.Tests {
			if v.RawJWS == nil {
				continue
			}
			if json.Unmarshal(v.RawJWS, &v.token) != nil {
				v.token = string(v.RawJWS)
			}
			v.group, v.keys = g.Comment, compact.Bytes()
			all = append(all, v)
		}
	}
	return all
}
