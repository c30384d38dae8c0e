package authn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
)

// discoveredKeys fetches the metadata at discoveryURL, which must be those of issuer, and then the
// key set that they name.
func (f fetcher) discoveredKeys(ctx context.Context, discoveryURL, issuer string, log *slog.Logger) (keySet, error) {
	data, err := f.get(ctx, discoveryURL)
	if err != nil {
		return nil, err
	}
	keysURL, err := readMetadata(data, issuer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", discoveryURL, err)
	}
	if !sameHost(keysURL, discoveryURL) {
		return nil, fmt.Errorf("%s: jwks_uri %s is on another host; name it as oauth2_jwks_uri to trust it",
			discoveryURL, printable(keysURL))
	}
	return f.keys(ctx, keysURL, log)
}

func (f fetcher) keys(ctx context.Context, keysURL string, log *slog.Logger) (keySet, error) {
	data, err := f.get(ctx, keysURL)
	if err != nil {
		return nil, err
	}
	set, dropped, err := parseKeySet(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keysURL, err)
	}
	for _, d := range dropped {
		log.Debug("signing key not used", "url", keysURL, "reason", d.Error())
	}
	return set, nil
}

// readMetadata returns the jwks_uri of a metadata document. Its issuer must be the one asked for,
// byte for byte (RFC 8414, section 3.3): otherwise anyone who can place a document on that host
// speaks for the issuer.
func readMetadata(data []byte, issuer string) (jwksURI string, err error) {
	object, err := decodeObject(data)
	if err != nil {
		return "", err
	}
	if got, _ := object["issuer"].(string); got != issuer {
		return "", fmt.Errorf("issuer is %s, not %s", printable(got), issuer)
	}
	uri, _ := object["jwks_uri"].(string)
	if uri == "" {
		return "", errors.New("no jwks_uri")
	}
	return uri, nil
}

// issuerKeys finds the metadata of an issuer at the places where RFC 8414 and OpenID Connect put
// them, in the order of the MCP specification (2025-11-25, authorization server metadata
// discovery), and fetches the key set.
func (f fetcher) issuerKeys(ctx context.Context, issuer string, log *slog.Logger) (keySet, error) {
	places, err := metadataURLs(issuer)
	if err != nil {
		return nil, err
	}
	for _, place := range places {
		set, err := f.discoveredKeys(ctx, place, issuer, log)
		if status, ok := errors.AsType[*statusError](err); ok && status.url == place && status.status >= 400 && status.status < 500 {
			continue // not kept there
		}
		return set, err
	}
	return nil, fmt.Errorf("no metadata for issuer %s; set oauth2_jwks_uri", issuer)
}

func metadataURLs(issuer string) ([]string, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	at := func(path string) string {
		c := *u
		c.Path, c.RawPath = path, ""
		return c.String()
	}
	const oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	path := strings.TrimRight(u.Path, "/")
	if path == "" {
		return []string{at(oauth), at(openid)}, nil
	}
	return []string{at(oauth + path), at(openid + path), at(path + openid)}, nil
}

func sameHost(a, b string) bool {
	ua, errA := url.Parse(a)
	ub, errB := url.Parse(b)
	return errA == nil && errB == nil && ua.Scheme == ub.Scheme && strings.EqualFold(ua.Host, ub.Host)
}
