package authn

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

// TestT01AlgNoneIsRefusedHoweverSpelled: RFC 8725, section 2.1.
func TestT01AlgNoneIsRefusedHoweverSpelled(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	header, payload := parts(t, l.token())
	for _, alg := range []any{
		"none", "None", "NONE", "nOnE", "noNe", "", " ", "none ", " none", "none\x00", "rs256", "RS256 ", "Rs256", "RS1",
		"RS384", "RS512", "PS256", "ES256", "ES256K", "EdDSA", "HS256", "RSA-OAEP", "dir", "null", "0",
		nil, 0, true, []string{"RS256"}, map[string]any{"RS256": 1},
	} {
		h := maps.Clone(header)
		h["alg"] = alg
		for name, sign := range map[string]func(string) []byte{
			"a valid signature": rs256,
			"garbage":           func(string) []byte { return []byte("x") },
		} {
			_, err := check(l.guard, forge(text(h), text(payload), sign))
			wantRefusal(t, fmt.Sprintf("alg %#v with %s", alg, name), err, http.StatusUnauthorized)
		}
		unsigned := forge(text(h), text(payload), func(string) []byte { return nil })
		_, err := check(l.guard, unsigned)
		wantRefusal(t, fmt.Sprintf("alg %#v without signature", alg), err, http.StatusUnauthorized)
		_, err = check(l.guard, strings.TrimSuffix(unsigned, "."))
		wantRefusal(t, fmt.Sprintf("alg %#v with two segments", alg), err, http.StatusUnauthorized)
	}
	delete(header, "alg")
	_, err := check(l.guard, forge(text(header), text(payload), rs256))
	wantRefusal(t, "no alg", err, http.StatusUnauthorized)
}

// TestT02PublicKeyIsNoHMACSecret: RFC 8725, section 2.1.
func TestT02PublicKeyIsNoHMACSecret(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	header, payload := parts(t, l.token())
	public := &rsaKey().PublicKey
	pkix, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PublicKey(public)
	n := base64.RawURLEncoding.EncodeToString(public.N.Bytes())
	for name, secret := range map[string][]byte{
		"PEM of PKIX":    pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}),
		"PEM of PKCS #1": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
		"DER of PKIX":    pkix,
		"DER of PKCS #1": pkcs1,
		"JWK":            []byte(`{"e":"AQAB","kty":"RSA","n":"` + n + `"}`),
		"modulus":        public.N.Bytes(),
	} {
		for alg, hash := range map[string]crypto.Hash{"HS256": crypto.SHA256, "HS384": crypto.SHA384, "HS512": crypto.SHA512} {
			h := maps.Clone(header)
			h["alg"] = alg
			_, err := check(l.guard, forge(text(h), text(payload), func(signed string) []byte {
				mac := hmac.New(hash.New, secret)
				mac.Write([]byte(signed))
				return mac.Sum(nil)
			}))
			wantRefusal(t, alg+" with "+name, err, http.StatusUnauthorized)
		}
	}
}

// TestT03KeysInATokenAreNotLookedAt: the attacker's key verifies the token, if it is used.
func TestT03KeysInATokenAreNotLookedAt(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	own := newRSAKey()
	jwk := map[string]any{
		"kty": "RSA", "kid": "own", "use": "sig", "e": "AQAB",
		"n": base64.RawURLEncoding.EncodeToString(own.N.Bytes()),
	}
	var hits atomic.Int32
	lair := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.Write([]byte(text(map[string]any{"keys": []any{jwk}})))
	}))
	defer lair.Close()
	header, payload := parts(t, l.token())
	sign := func(signed string) []byte {
		sig, err := jwt.SigningMethodRS256.Sign(signed, own)
		if err != nil {
			panic(err)
		}
		return sig
	}
	for name, value := range map[string]any{
		"jwk": jwk, "jku": lair.URL, "x5u": lair.URL, "x5c": []string{"MIIB"},
	} {
		for _, kid := range []any{header["kid"], "own"} {
			h := maps.Clone(header)
			h[name], h["kid"] = value, kid
			_, err := check(l.guard, forge(text(h), text(payload), sign))
			wantRefusal(t, name, err, http.StatusUnauthorized)
		}
	}
	if got := hits.Load(); got != 0 {
		t.Errorf("%d requests to the URL in the token, want 0", got)
	}
}

func TestT04KeyIDIsOnlyAKeyOfAMap(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	header, payload := parts(t, l.token())
	for _, kid := range []any{
		"../../dev/null", "/etc/passwd", "' OR 1=1 --", "x\x00y", "a\r\nb: c", strings.Repeat("k", maxKeyID+1), strings.Repeat("k", 10<<10),
		"", nil, 7, []string{"a"}, map[string]any{"a": 1}, "https://169.254.169.254/", "%s%n", "\u202egnp",
	} {
		h := maps.Clone(header)
		h["kid"] = kid
		_, err := check(l.guard, forge(text(h), text(payload), rs256))
		e := wantRefusal(t, fmt.Sprintf("kid %.20v", kid), err, http.StatusUnauthorized)
		if strings.ContainsAny(e.Error(), "\r\n\x00\u202e") || len(e.Error()) > 300 {
			t.Errorf("kid %.20v: reason %q is not fit for a log", kid, e.Error())
		}
	}
	delete(header, "kid")
	_, err := check(l.guard, forge(text(header), text(payload), rs256))
	wantRefusal(t, "no kid", err, http.StatusUnauthorized)
	if strings.ContainsAny(strings.ReplaceAll(l.log.String(), "\n", ""), "\r\x00\u202e") {
		t.Errorf("log has raw characters of a kid: %q", l.log)
	}
}

func TestT05OtherKindsOfTokenAreRefused(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	for name, header := range map[string]map[string]any{
		"crit":           {"crit": []string{"exp"}, "exp": 1},
		"empty crit":     {"crit": []string{}},
		"crit b64":       {"crit": []string{"b64"}, "b64": false},
		"b64 alone":      {"b64": false},
		"secevent":       {"typ": "secevent+jwt"},
		"logout":         {"typ": "logout+jwt"},
		"DPoP proof":     {"typ": "dpop+jwt"},
		"typ of a list":  {"typ": []string{"JWT"}},
		"empty typ":      {"typ": ""},
		"compressed":     {"zip": "DEF"},
		"encrypted":      {"enc": "A256GCM"},
		"other letters":  {"Alg": "none"},
		"Crit":           {"Crit": []string{"x"}},
		"Kelvin sign":    {"\u212Aid": "x"},
		"for Graph":      {"nonce": "x"},
		"id token":       nil,
		"logout claims":  nil,
		"bound to a key": nil,
	} {
		token := l.token(func(f *fakeentra.Token) { f.Header = header })
		switch name {
		case "id token":
			token = l.token(claim("at_hash", "x"))
		case "logout claims":
			token = l.token(claim("events", map[string]any{}))
		case "bound to a key":
			token = l.token(claim("cnf", map[string]any{"jkt": "x"}))
		}
		_, err := check(l.guard, token)
		wantRefusal(t, name, err, http.StatusUnauthorized)
	}
	for _, typ := range []any{"JWT", "jwt", "at+jwt", "application/at+jwt", nil} {
		if _, err := check(l.guard, l.token(func(f *fakeentra.Token) { f.Header = map[string]any{"typ": typ} })); err != nil {
			t.Errorf("typ %v: %v", typ, err)
		}
	}
}

func TestT11OneTokenHasOneSpelling(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	good := l.token()
	if _, err := check(l.guard, good); err != nil {
		t.Fatal(err)
	}
	dot1, dot2 := strings.IndexByte(good, '.'), strings.LastIndexByte(good, '.')
	insert := func(at int, what string) string { return good[:at] + what + good[at:] }
	spellings := map[string]string{
		"LF in the signature":   insert(len(good)-5, "\n"),
		"CR LF at the end":      good + "\r\n",
		"padding":               good + "==",
		"padding of the header": insert(dot1, "="),
		"BOM":                   "\uFEFF" + good,
		"space":                 insert(dot1+3, " "),
		"four segments":         good + ".",
		"five segments":         good + ".x.y",
		"JSON serialization":    `{"payload":"` + good[dot1+1:dot2] + `","protected":"` + good[:dot1] + `","signature":"` + good[dot2+1:] + `"}`,
		"standard alphabet":     good[:dot2] + strings.NewReplacer("-", "+", "_", "/").Replace(good[dot2:]) + "+",
		"NUL":                   good + "\x00",
	}
	// The last character of a segment may have bits that decode to nothing.
	for name, at := range map[string]int{"header": dot1, "payload": dot2, "signature": len(good)} {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		i := strings.IndexByte(alphabet, good[at-1])
		spellings["loose bits of the "+name] = good[:at-1] + string(alphabet[i^1]) + good[at:]
	}
	for name, token := range spellings {
		_, err := check(l.guard, token)
		wantRefusal(t, name, err, http.StatusUnauthorized)
	}
}

func TestT14SizeIsBoundedBeforeAnythingIsParsed(t *testing.T) {
	l := newEntraLab(t)
	header, _ := parts(t, l.token())
	for name, token := range map[string]string{
		"16 KiB and 1":      strings.Repeat("A", maxTokenBytes+1),
		"1 MiB of dots":     strings.Repeat(".", 1<<20),
		"16 KiB of dots":    strings.Repeat(".", maxTokenBytes),
		"nested 5000":       forge(text(header), strings.Repeat("[", 5000)+strings.Repeat("]", 5000), rs256),
		"nested 9000, open": forge(text(header), strings.Repeat("[", 9000), rs256),
		"nested objects":    forge(text(header), strings.Repeat(`{"a":`, 2000)+"1"+strings.Repeat("}", 2000), rs256),
		"nested header":     forge(`{"alg":"RS256","x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+"}", "{}", rs256),
	} {
		var err error
		allocated := testing.AllocsPerRun(1, func() { _, err = check(l.guard, token) })
		wantRefusal(t, name, err, http.StatusUnauthorized)
		if allocated > 500 {
			t.Errorf("%s: %v allocations", name, allocated)
		}
	}
}

// TestPS256SaltIsAsLongAsTheHash: RFC 7518, section 3.5.
func TestPS256SaltIsAsLongAsTheHash(t *testing.T) {
	t.Parallel()
	const signed = "e30.e30"
	sum := sha256.Sum256([]byte(signed))
	for salt, want := range map[int]bool{0: false, 20: false, 32: true, 64: false} {
		sig, err := rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		j := &jws{alg: "PS256", signed: signed, signature: sig}
		if got := j.verify(key{public: &rsaKey().PublicKey}) == nil; got != want {
			t.Errorf("salt of %d bytes: accepted %v, want %v", salt, got, want)
		}
	}
}
