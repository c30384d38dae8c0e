package authn

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func b64(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

func rsaJWK(kid string, n *big.Int, e int64) map[string]any {
	return map[string]any{"kty": "RSA", "kid": kid, "use": "sig", "n": b64(n), "e": b64(big.NewInt(e))}
}

func with(m map[string]any, name string, value any) map[string]any {
	m = maps.Clone(m)
	m[name] = value
	return m
}

func without(m map[string]any, name string) map[string]any {
	m = maps.Clone(m)
	delete(m, name)
	return m
}

func jwks(members ...any) []byte { return []byte(text(map[string]any{"keys": members})) }

func TestT12WeakOrUnfitKeysAreDropped(t *testing.T) {
	t.Parallel()
	n := rsaKey().N
	good := rsaJWK("k", n, 65537)
	odd := func(bits uint) *big.Int {
		return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(1))
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:])
	ec := map[string]any{"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed := map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": base64.RawURLEncoding.EncodeToString(public)}
	for name, test := range map[string]struct {
		key  any
		want bool
	}{
		"RSA":                     {good, true},
		"RSA without use":         {without(good, "use"), true},
		"RSA with e 3":            {rsaJWK("k", n, 3), true},
		"RSA with alg":            {with(good, "alg", "RS256"), true},
		"RSA with key_ops":        {with(good, "key_ops", []string{"sign", "verify"}), true},
		"RSA with a certificate":  {with(good, "x5c", []string{"not read"}), true},
		"EC":                      {ec, true},
		"Ed25519":                 {ed, true},
		"2047 bits":               {rsaJWK("k", odd(2047), 65537), false},
		"1024 bits":               {rsaJWK("k", odd(1024), 65537), false},
		"4097 bits":               {rsaJWK("k", odd(4097), 65537), false},
		"16384 bits":              {rsaJWK("k", odd(16384), 65537), false},
		"even modulus":            {rsaJWK("k", new(big.Int).Sub(n, big.NewInt(1)), 65537), false},
		"e 1":                     {rsaJWK("k", n, 1), false},
		"e 2":                     {rsaJWK("k", n, 2), false},
		"e 4":                     {rsaJWK("k", n, 4), false},
		"e of 33 bits":            {rsaJWK("k", n, 1<<32+1), false},
		"no e":                    {without(good, "e"), false},
		"ROCA":                    {rsaJWK("k", rocaModulus(), 65537), false},
		"for encryption":          {with(good, "use", "enc"), false},
		"use a list":              {with(good, "use", []string{"sig"}), false},
		"only signs":              {with(good, "key_ops", []string{"sign"}), false},
		"key_ops a string":        {with(good, "key_ops", "verify"), false},
		"kid a number":            {with(good, "kid", 1), false},
		"kid too long":            {with(good, "kid", strings.Repeat("k", maxKeyID+1)), false},
		"private":                 {with(good, "d", "AQAB"), false},
		"symmetric":               {map[string]any{"kty": "oct", "kid": "k", "k": "AAAA"}, false},
		"off the curve":           {with(ec, "y", x), false},
		"at infinity":             {with(with(ec, "x", strings.Repeat("A", 43)), "y", strings.Repeat("A", 43)), false},
		"point of another curve":  {with(ec, "crv", "P-384"), false},
		"curve unknown":           {with(ec, "crv", "secp256k1"), false},
		"Ed25519 too short":       {with(ed, "x", "AAAA"), false},
		"Ed25519 of low order":    {with(ed, "x", "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU"), false},
		"for key agreement":       {with(ed, "crv", "X25519"), false},
		"kty unknown":             {with(good, "kty", "XYZ"), false},
		"kty in other letters":    {with(good, "kty", "rsa"), false},
		"no object":               {"RSA", false},
		"null":                    {nil, false},
		"issuer a list":           {with(good, "issuer", []string{"x"}), false},
		"alg a list":              {with(good, "alg", []string{"RS256"}), false},
		"modulus not base64":      {with(good, "n", "!!"), false},
		"modulus of standard b64": {with(good, "n", "+/+/"), false},
	} {
		sound := rsaJWK("sound", n, 65537)
		set, dropped, err := parseKeySet(jwks(test.key, sound))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, got := set.find("", "k"); got != test.want {
			t.Errorf("%s: kept %v, want %v (%v)", name, got, test.want, dropped)
		}
		if _, ok := set.find("", "sound"); !ok {
			t.Errorf("%s: took the sound key with it", name)
		}
	}
}

// rocaModulus returns a modulus that has the fingerprint of CVE-2017-15361, though it is not a product
// of two primes: a power of 65537 modulo all the small primes at once.
func rocaModulus() *big.Int {
	primorial := big.NewInt(1)
	for p := int64(2); p <= 167; p++ {
		if big.NewInt(p).ProbablyPrime(0) {
			primorial.Mul(primorial, big.NewInt(p))
		}
	}
	n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(1234567), primorial)
	multiple := new(big.Int).Lsh(big.NewInt(1), uint(2048-primorial.BitLen()))
	return n.Add(n, multiple.Mul(multiple, primorial))
}

func TestSoundModuliHaveNoROCAFingerprint(t *testing.T) {
	t.Parallel()
	if !hasROCAFingerprint(rocaModulus()) {
		t.Error("the broken kind is not known")
	}
	for range 1000 {
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 2048))
		if err != nil {
			t.Fatal(err)
		}
		if n.SetBit(n, 0, 1); hasROCAFingerprint(n) {
			t.Fatalf("a random modulus has the fingerprint: %v", n)
		}
	}
}

// A signature of the neutral element and zero fits a key of low order now and then, and anybody can make it. go-jose
// refuses the same keys.
func TestKeysThatAnybodyCanSignForHaveLowOrder(t *testing.T) {
	t.Parallel()
	forged := append([]byte{1}, make([]byte, ed25519.SignatureSize-1)...)
	for _, y := range lowOrder {
		for _, sign := range []byte{0, 0x80} {
			x, err := hex.DecodeString(y)
			if err != nil {
				t.Fatal(err)
			}
			x[31] |= sign
			if !hasLowOrder(x) {
				t.Errorf("%x is taken for a sound key", x)
			}
			var known jose.JSONWebKey
			if err := known.UnmarshalJSON([]byte(text(map[string]any{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(x)}))); err == nil {
				t.Errorf("go-jose takes %x", x)
			}
			fits := 0
			for message := range byte(255) {
				if ed25519.Verify(x, []byte{message}, forged) {
					fits++
				}
			}
			if fits == 0 {
				t.Errorf("no forged signature fits %x: it need not be refused", x)
			}
		}
	}
	sound, _, err := ed25519.GenerateKey(nil)
	if err != nil || hasLowOrder(sound) {
		t.Errorf("a sound key has a low order: %x, %v", sound, err)
	}
}

func TestT12KeysThatShareAnIDAreAllDropped(t *testing.T) {
	t.Parallel()
	set, dropped, err := parseKeySet(jwks(
		rsaJWK("a", rsaKey().N, 65537), rsaJWK("a", rsaKey().N, 3), rsaJWK("b", rsaKey().N, 65537),
		rsaJWK("c", rsaKey().N, 65537), map[string]any{"kty": "oct", "kid": "c", "k": "AAAA"},
	))
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, k := range set {
		kept = append(kept, k.id)
	}
	if diff := cmp.Diff([]string{"b"}, kept); diff != "" || len(dropped) != 4 {
		t.Errorf("(-want +got)\n%s\ndropped %v", diff, dropped)
	}
}

func TestKeySetsThatHelpNobodyAreErrors(t *testing.T) {
	t.Parallel()
	many := make([]any, maxKeys+1)
	for i := range many {
		many[i] = rsaJWK(fmt.Sprint(i), rsaKey().N, 65537)
	}
	for name, data := range map[string]string{
		"empty": "", "HTML": "<html>", "no keys": "{}", "keys null": `{"keys":null}`, "keys an object": `{"keys":{}}`,
		"none": `{"keys":[]}`, "none usable": `{"keys":[{"kty":"oct","k":"AAAA"}]}`, "keys twice": `{"keys":[],"keys":[]}`,
		"too many": string(jwks(many...)), "a list": "[]",
	} {
		if set, _, err := parseKeySet([]byte(data)); err == nil || set != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTokenWithoutKeyIDNeedsAnUnambiguousKey(t *testing.T) {
	t.Parallel()
	one := with(rsaJWK("a", rsaKey().N, 65537), "alg", "RS256")
	other := with(rsaJWK("b", rsaKey().N, 65537), "alg", "PS256")
	set, _, err := parseKeySet(jwks(without(one, "kid")))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := set.find("RS256", ""); !ok {
		t.Error("the only key, which has no id, is not found")
	}
	if _, ok := set.find("RS256", "a"); ok {
		t.Error("a key without id was found by one")
	}
	set, _, err = parseKeySet(jwks(one, other))
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := set.find("RS256", ""); !ok || k.id != "a" {
		t.Errorf("one key for RS256: found %q, %v", k.id, ok)
	}
	if _, ok := set.find("ES256", ""); ok {
		t.Error("found a key for ES256")
	}
	set, _, err = parseKeySet(jwks(one, with(one, "kid", "c")))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := set.find("RS256", ""); ok {
		t.Error("found one of two keys for RS256")
	}
}
