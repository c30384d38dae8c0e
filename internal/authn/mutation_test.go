package authn

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// mutations returns how many tokens to mutate: enough for a change to be noticed, or as many as the
// environment asks for.
func mutations(t *testing.T) int {
	t.Helper()
	if s := os.Getenv("AUTHN_MUTATIONS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return testlimit.Rounds(20_000)
}

// TestMutatedTokensAreRefused changes good tokens of all four algorithms in ways that an attacker
// or a broken proxy might, and brings each to a guard. AUTHN_MUTATIONS=1000000 does it more often.
func TestMutatedTokensAreRefused(t *testing.T) {
	t.Parallel()
	a := newAuthServer(t, "", "/.well-known/oauth-authorization-server")
	g := a.guard(t)
	good := []string{
		a.token(nil),
		a.sign(jwt.SigningMethodPS256, "rs", rsaKey(), nil),
		a.sign(jwt.SigningMethodES256, "ec", a.ec, nil),
		a.sign(jwt.SigningMethodEdDSA, "ed", a.ed, nil),
		a.sign(jwt.SigningMethodEdDSA, "ed", a.ed, func(c jwt.MapClaims) { c["sub"] = "user-2" }),
	}
	for _, token := range good {
		if _, err := check(g, token); err != nil {
			t.Fatal(err)
		}
	}
	seed := [32]byte{7: 42}
	r := rand.New(rand.NewChaCha8(seed))
	n, same := mutations(t), 0
	for i := range n {
		token := good[r.IntN(len(good))]
		mutant := mutate(r, token, good)
		if slices.Contains(good, strings.Trim(mutant, " ")) {
			same++
			continue
		}
		if c, err := check(g, mutant); err == nil {
			t.Fatalf("mutant %d of seed %v is accepted as %q:\n%s\n%s", i, seed, c.Principal, token, mutant)
		}
	}
	if same > n/20 {
		t.Errorf("%d of %d mutants are good tokens", same, n)
	}
	t.Logf("%d mutants, none accepted", n-same)
}

// mutate returns token after one to three changes.
func mutate(r *rand.Rand, token string, others []string) string {
	for range 1 + r.IntN(3) {
		switch r.IntN(10) {
		case 0, 1: // one character
			token = splice(token, r.IntN(len(token)), 1, string(rune(r.IntN(128))))
		case 2: // one bit
			b := []byte(token)
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			token = string(b)
		case 3: // some lost
			token = splice(token, r.IntN(len(token)), 1+r.IntN(8), "")
		case 4: // some more
			extra := []string{"A", ".", "=", "\n", "\x00", "AAAA", "-_", "e30", "%00", " ", "\u212a"}
			token = splice(token, r.IntN(len(token)), 0, extra[r.IntN(len(extra))])
		case 5: // a segment of another token
			mine, other := strings.Split(token, "."), strings.Split(others[r.IntN(len(others))], ".")
			mine[r.IntN(len(mine))] = other[r.IntN(len(other))]
			token = strings.Join(mine, ".")
		case 6: // segments in another order
			s := strings.Split(token, ".")
			r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
			token = strings.Join(s, ".")
		default: // what a segment says
			s := strings.Split(token, ".")
			i := r.IntN(len(s))
			raw, err := base64.RawURLEncoding.DecodeString(s[i])
			if err != nil || len(raw) == 0 {
				continue
			}
			s[i] = base64.RawURLEncoding.EncodeToString(rewrite(r, raw))
			token = strings.Join(s, ".")
		}
		if token == "" {
			return "x"
		}
	}
	return token
}

// rewrite changes decoded JSON, or the bytes of a signature.
func rewrite(r *rand.Rand, raw []byte) []byte {
	edits := [][2]string{
		{"RS256", "none"}, {"RS256", "HS256"}, {"EdDSA", "RS256"}, {"ES256", "EdDSA"}, {"PS256", "RS256"},
		{`"rs"`, `"ec"`}, {`"ed"`, `"rs"`}, {"user-1", "admin"}, {"user-2", "user-1"}, {"read", "write"}, {"api/mcp", "api/mcq"},
		{"{", `{"crit":["x"],`}, {"{", `{"exp":99999999999,`}, {"}", `,"Exp":99999999999}`}, {"}", `,"scp":"admin"}`},
		{`"`, `'`}, {":", " :"}, {"{", " {"}, {"https://", "http://"},
	}
	e := edits[r.IntN(len(edits))]
	if changed := bytes.Replace(raw, []byte(e[0]), []byte(e[1]), 1); !bytes.Equal(changed, raw) {
		return changed
	}
	raw[r.IntN(len(raw))] ^= byte(1 + r.IntN(255))
	return raw
}

func splice(s string, at, remove int, insert string) string {
	return s[:at] + insert + s[min(at+remove, len(s)):]
}

// TestGoJOSEAcceptsWhatWeAccept signs tokens of many shapes and compares: what is strict may refuse
// more than another library does, never less.
func TestGoJOSEAcceptsWhatWeAccept(t *testing.T) {
	t.Parallel()
	a := newAuthServer(t, "", "")
	public := a.ed.Public()
	r := rand.New(rand.NewChaCha8([32]byte{1: 7}))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	accepted, refused := 0, 0
	for range testlimit.Rounds(5000) {
		header := pick("", " ", "\n") + "{" + pick(`"alg":"EdDSA"`, `"alg":"EdDSA"`, `"alg":"eddsa"`, `"alg":"RS256"`, `"alg":1`, `"alg":"Ed\u0044SA"`) +
			pick("", `,"kid":"ed"`, `,"kid":7`, `,"kid":""`) + pick("", `,"typ":"JWT"`, `,"typ":"secevent+jwt"`, `,"typ":null`) +
			pick("", "", "", `,"crit":["exp"]`, `,"crit":[]`, `,"b64":true`, `,"alg":"EdDSA"`, `,"x":{"y":[1]}`, `,"jwk":{}`) + "}" + pick("", "", " ", "x")
		payload := pick(`{"a":1}`, `{"a":1,"a":2}`, `[]`, ``, `{"a":"`+"\xff"+`"}`, `{"exp":1e3}`)
		token := forge(header, payload, func(signed string) []byte {
			sig, err := jwt.SigningMethodEdDSA.Sign(signed, a.ed)
			if err != nil {
				panic(err)
			}
			return sig
		})
		j, err := parseJWS(token, allAlgorithms())
		if err == nil {
			err = j.verify(key{public: public})
		}
		if err != nil {
			refused++
			continue
		}
		accepted++
		theirs, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.EdDSA})
		if err != nil {
			t.Fatalf("header %s: accepted here, but go-jose: %v", header, err)
		}
		got, err := theirs.Verify(public)
		if err != nil || !bytes.Equal(got, j.payload) {
			t.Fatalf("header %s: accepted here, but go-jose: %q, %v", header, got, err)
		}
	}
	if accepted < 10 || refused < 10 {
		t.Errorf("%d accepted, %d refused: the shapes are not varied enough", accepted, refused)
	}
	t.Log(fmt.Sprint(accepted, " accepted, ", refused, " refused"))
}
