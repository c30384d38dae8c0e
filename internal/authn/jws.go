package authn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// maxKeyID bounds a kid, in bytes. It is a key of a map and a word in a log, nothing else.
const maxKeyID = 256

// A jws is a compact JWS (RFC 7515, section 3.1) whose form and header are in order. Nothing in it
// is to be believed before verify.
type jws struct {
	alg    string
	kid    string // "" if absent
	header map[string]any

	payload   []byte
	signed    string // the first two segments: what the signature is over
	signature []byte
}

// parseJWS takes a token apart. algs are the algorithms that may be named in its header; a token
// that names another one is refused here, so that no key is ever tried with an algorithm that the
// token chose (RFC 8725, section 3.1). jku, x5u and x5c are never looked at.
func parseJWS(token string, algs []string) (*jws, error) {
	if len(token) > maxTokenBytes {
		return nil, fmt.Errorf("a token of %d bytes is more than %d", len(token), maxTokenBytes)
	}
	header, payload, signature, err := split(token)
	if err != nil {
		return nil, err
	}
	rawHeader, err := decodeSegment(header)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	j := &jws{signed: token[:len(header)+1+len(payload)]}
	if j.payload, err = decodeSegment(payload); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	if j.signature, err = decodeSegment(signature); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	if j.header, err = decodeObject(rawHeader); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := j.readHeader(algs); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return j, nil
}

// split cuts a token at its two dots. That every other character is of the base64url alphabet is
// checked first: base64 decoders skip line breaks, which would give one token many spellings.
func split(token string) (header, payload, signature string, err error) {
	dots := 0
	for i := range len(token) {
		switch c := token[i]; {
		case c == '.':
			if dots++; dots > 2 {
				return "", "", "", errors.New("more than three segments")
			}
		case !isBase64URL(c):
			return "", "", "", errors.New("a character that a JWT cannot have")
		}
	}
	if dots != 2 {
		return "", "", "", errors.New("not three segments")
	}
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ = strings.Cut(rest, ".")
	if header == "" || signature == "" {
		return "", "", "", errors.New("an empty segment")
	}
	return header, payload, signature, nil
}

// decodeSegment refuses padding bits that are not zero: the same bytes must not have two spellings.
func decodeSegment(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errors.New("not canonical base64url")
	}
	return b, nil
}

func (j *jws) readHeader(algs []string) error {
	known := []string{"alg", "typ", "cty", "kid", "crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t", "enc", "zip"}
	if err := refuseVariants(j.header, known); err != nil {
		return err
	}
	for _, name := range []string{"crit", "b64", "enc", "zip", "jwk"} {
		// A verifier that does not understand crit has to refuse (RFC 7515, section 4.1.11); b64, enc and zip
		// change what the payload is; and a token that brings its own key is a proof of possession.
		if _, ok := j.header[name]; ok {
			return fmt.Errorf("%s is not supported", name)
		}
	}
	alg, ok := j.header["alg"].(string)
	if !ok || !slices.Contains(algs, alg) {
		return fmt.Errorf("alg %s is not allowed", printable(fmt.Sprint(j.header["alg"])))
	}
	j.alg = alg
	if v, ok := j.header["typ"]; ok {
		typ, _ := v.(string)
		// A media type, so without regard to case. Everything else is another kind of token: RFC
		// 8725, section 3.11.
		switch strings.ToLower(typ) {
		case "jwt", "at+jwt", "application/at+jwt":
		default:
			return fmt.Errorf("typ %s is not an access token", printable(fmt.Sprint(v)))
		}
	}
	if v, ok := j.header["kid"]; ok {
		kid, ok := v.(string)
		if !ok || kid == "" || len(kid) > maxKeyID {
			return fmt.Errorf("kid is not a string of 1 to %d bytes", maxKeyID)
		}
		j.kid = kid
	}
	return nil
}

// verify checks the signature with k, which must be for the token's algorithm.
func (j *jws) verify(k key) error {
	if !k.fits(j.alg) {
		return fmt.Errorf("key %s is not for %s", printable(k.id), j.alg)
	}
	return signingMethod(j.alg).Verify(j.signed, j.signature, k.public)
}

// signingMethod returns the implementation of an asymmetric algorithm of RFC 7518, section 3.1, or
// of RFC 8037; nil for everything else.
func signingMethod(alg string) jwt.SigningMethod {
	switch m := jwt.GetSigningMethod(alg).(type) {
	case *jwt.SigningMethodRSAPSS:
		return withSaltOfHash(m)
	case *jwt.SigningMethodRSA, *jwt.SigningMethodECDSA, *jwt.SigningMethodEd25519:
		return m.(jwt.SigningMethod)
	}
	return nil
}

// withSaltOfHash makes verification insist on a salt as long as the hash (RFC 7518, section 3.5);
// golang-jwt takes any length.
func withSaltOfHash(m *jwt.SigningMethodRSAPSS) *jwt.SigningMethodRSAPSS {
	return &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: m.SigningMethodRSA,
		Options:          m.Options,
		VerifyOptions:    &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
	}
}

// suits reports whether a key of this type and curve is one for alg.
func suits(alg string, public crypto.PublicKey) (ok bool) {
	switch m := signingMethod(alg).(type) {
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		_, ok = public.(*rsa.PublicKey)
	case *jwt.SigningMethodECDSA:
		k, isEC := public.(*ecdsa.PublicKey)
		ok = isEC && k.Curve.Params().BitSize == m.CurveBits
	case *jwt.SigningMethodEd25519:
		_, ok = public.(ed25519.PublicKey)
	}
	return ok
}
