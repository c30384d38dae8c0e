package authn

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// leeway is what the clocks of an issuer and of this machine may differ by.
const leeway = time.Minute

// An accessToken is a JWT in order of form. Nothing in it is to be believed before verify.
type accessToken struct {
	*jws
	claims claims
}

// parseJWT reads a JWT (RFC 7519) that names one of algs.
func parseJWT(token string, algs []string) (*accessToken, error) {
	j, err := parseJWS(token, algs)
	if err != nil {
		return nil, err
	}
	object, err := decodeObject(j.payload)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	c := claims(object)
	if err := c.checkForm(); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return &accessToken{j, c}, nil
}

// looksLikeJWT reports whether a token has the shape of a JWT. Opaque tokens have no dots, or
// segments that are not JSON.
func looksLikeJWT(token string) bool {
	header, _, _, err := split(token)
	if err != nil {
		return false
	}
	raw, err := decodeSegment(header)
	if err != nil {
		return false
	}
	_, err = decodeObject(raw)
	return err == nil
}

// claims are the claims of a token or of an introspection answer, numbers as json.Number.
type claims map[string]any

// checkForm refuses claims that can be read in two ways, and those of tokens that are not for
// calling anyone with.
func (c claims) checkForm() error {
	known := []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "client_id", "cnf", "active", "username",
		"ver", "tid", "oid", "azp", "appid", "idtyp", "roles", "xms_cc",
	}
	if err := refuseVariants(c, known); err != nil {
		return err
	}
	for _, name := range []string{"at_hash", "c_hash", "s_hash", "events"} {
		if _, ok := c[name]; ok {
			return fmt.Errorf("%s does not belong in an access token", name)
		}
	}
	if _, ok := c["cnf"]; ok {
		// RFC 7800: the token needs a proof of possession, which we do not check.
		return errors.New("cnf: the token is bound to a key")
	}
	return nil
}

// str returns a claim that is a string, without control characters or replacement characters: it
// will be a part of a session's key and of a log line. An absent claim is "".
func (c claims) str(name string) (string, error) {
	v, ok := c[name]
	if !ok {
		return "", nil
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%s is not a string", name)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7F || r == '\uFFFD' }) {
		return "", fmt.Errorf("%s has a control character", name)
	}
	return s, nil
}

// strs is str for several claims at once.
func (c claims) strs(fields map[string]*string) error {
	for name, field := range fields {
		var err error
		if *field, err = c.str(name); err != nil {
			return err
		}
	}
	return nil
}

// audience returns aud, which is a string or a list of strings.
func (c claims) audience() ([]string, error) {
	switch v := c["aud"].(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []any:
		return stringsOf("aud", v)
	}
	return nil, errors.New("aud is neither a string nor a list")
}

func stringsOf(name string, list []any) ([]string, error) {
	all := make([]string, len(list))
	for i, v := range list {
		var ok bool
		if all[i], ok = v.(string); !ok {
			return nil, fmt.Errorf("%s has a member that is not a string", name)
		}
	}
	return all, nil
}

// lifetime checks exp, nbf and iat against now and returns iat and exp, zero when absent. exp may
// be absent only where an identity provider has just vouched for the token.
func (c claims) lifetime(now time.Time, needExpiry bool) (issued, expires time.Time, err error) {
	dates := make(map[string]time.Time)
	for _, name := range []string{"exp", "nbf", "iat"} {
		if v, ok := c[name]; ok {
			if dates[name], err = numericDate(v); err != nil {
				return time.Time{}, time.Time{}, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	options := []jwt.ParserOption{
		jwt.WithLeeway(leeway), jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return now }),
	}
	if needExpiry {
		options = append(options, jwt.WithExpirationRequired())
	}
	if err := jwt.NewValidator(options...).Validate(jwt.MapClaims(c)); err != nil {
		return time.Time{}, time.Time{}, err
	}
	return dates["iat"], dates["exp"], nil
}

// numericDate reads a NumericDate (RFC 7519, section 2) between 1970 and 9999: a date outside
// would overflow on its way to a time.
func numericDate(v any) (time.Time, error) {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, errors.New("not a number")
	}
	seconds, err := n.Float64()
	if err != nil || !(seconds >= 0 && seconds < 253402300800) {
		return time.Time{}, fmt.Errorf("%s is out of range", printable(n.String()))
	}
	return time.Unix(int64(seconds), 0), nil
}
