package authn

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

const (
	minRSABits = 2048 // NIST SP 800-131A
	maxRSABits = 4096 // a longer key would cost the app much time per token
)

// publicKey decodes the members that make up a public key (RFC 7518, section 6; RFC 8037, section 2). Certificates
// play no part here.
func publicKey(m map[string]any) (crypto.PublicKey, error) {
	kty, _ := m["kty"].(string)
	crv, _ := m["crv"].(string)
	switch curve := curves[crv]; {
	case kty == "RSA":
		return rsaPublicKey(m)
	case kty == "EC" && curve != nil:
		size := (curve.Params().BitSize + 7) / 8
		x, errX := octets(m, "x", size)
		y, errY := octets(m, "y", size)
		if err := errors.Join(errX, errY); err != nil {
			return nil, err
		}
		return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y)) // checks that it is on the curve
	case kty == "OKP" && crv == "Ed25519":
		x, err := octets(m, "x", ed25519.PublicKeySize)
		if err == nil && hasLowOrder(x) {
			err = errors.New("an Ed25519 key of low order, for which anybody can sign")
		}
		return ed25519.PublicKey(x), err
	}
	return nil, fmt.Errorf("kty %s with crv %s is not supported", printable(kty), printable(crv))
}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

// octets decodes a member. A size of 0 means any.
func octets(m map[string]any, name string, size int) ([]byte, error) {
	text, _ := m[name].(string)
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || size != 0 && len(b) != size {
		return nil, fmt.Errorf("%s is not a number of the right size in base64url", name)
	}
	return b, nil
}

func rsaPublicKey(m map[string]any) (*rsa.PublicKey, error) {
	n, errN := octets(m, "n", 0)
	e, errE := octets(m, "e", 0)
	if err := errors.Join(errN, errE); err != nil {
		return nil, err
	}
	exponent := new(big.Int).SetBytes(e)
	if exponent.BitLen() > 31 {
		return nil, errors.New("an RSA exponent of more than 31 bits")
	}
	k := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}
	return k, checkRSA(k)
}

func checkRSA(k *rsa.PublicKey) error {
	switch {
	case k.N.BitLen() < minRSABits || k.N.BitLen() > maxRSABits:
		return fmt.Errorf("an RSA key of %d bits, want %d to %d", k.N.BitLen(), minRSABits, maxRSABits)
	case k.N.Bit(0) == 0:
		return errors.New("an even RSA modulus")
	case k.E < 3 || k.E%2 == 0:
		return fmt.Errorf("an RSA exponent of %d", k.E)
	case hasROCAFingerprint(k.N):
		return errors.New("an RSA key vulnerable to ROCA (CVE-2017-15361)")
	}
	return nil
}

// hasROCAFingerprint reports whether n was made by the broken generator of CVE-2017-15361, whose
// primes, and so their products, are powers of 65537 modulo every small prime. The chance that a
// sound modulus looks like that is below 2^-27.
func hasROCAFingerprint(n *big.Int) bool {
	const generator = 65537
	var modulus, residue big.Int
	for prime := int64(3); prime <= 167; prime += 2 {
		if !modulus.SetInt64(prime).ProbablyPrime(0) {
			continue
		}
		rest := residue.Mod(n, &modulus).Int64()
		power, found := int64(1), false
		for range prime {
			if power == rest {
				found = true
				break
			}
			power = power * generator % prime
		}
		if !found {
			return false
		}
	}
	return true
}

// hasLowOrder reports whether an Ed25519 key is one of the 14 encodings of the 8 points of low order, whatever its sign.
func hasLowOrder(x []byte) bool {
	y := bytes.Clone(x)
	y[len(y)-1] &= 0x7f
	return slices.Contains(lowOrder, hex.EncodeToString(y))
}

// lowOrder is the y coordinates of those points, in little-endian: of order 4, 1, 8, 8, and 2, and then 0 and 1 again,
// as they may be written without a reduction by the field's prime, 2^255-19.
var lowOrder = []string{
	strings.Repeat("00", 32),
	"01" + strings.Repeat("00", 31),
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ec" + strings.Repeat("ff", 30) + "7f",
	"ed" + strings.Repeat("ff", 30) + "7f",
	"ee" + strings.Repeat("ff", 30) + "7f",
}
