package authn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// github asks GitHub about a token. GitHub has no introspection by RFC 7662 and no audiences. With
// the credentials of an OAuth app it tells whether a token was issued to that app; without them
// any GitHub token is as good as another, which an operator must enable explicitly.
type github struct {
	clientID, secret string // "" takes every token
	fetch            fetcher
}

const (
	githubAPI = "https://api.github.com"

	// githubLogin is the issuer in GitHub's authorization server metadata.
	githubLogin = "https://github.com/login/oauth"
)

func usesGitHub(cfg config.Auth) bool {
	if cfg.OAuth2JWKSURI != "" || cfg.OAuth2IntrospectionEndpoint != "" {
		return false
	}
	issuer := strings.TrimRight(cfg.OAuth2Issuer, "/")
	return issuer == "https://github.com" || issuer == githubLogin
}

func newGitHub(cfg config.Auth, fetch fetcher) *github {
	if cfg.OAuth2IntrospectionClientSecret == "" {
		return &github{fetch: fetch}
	}
	return &github{cfg.OAuth2IntrospectionClientID, cfg.OAuth2IntrospectionClientSecret, fetch}
}

func (g *github) ask(ctx context.Context, token string) (*Caller, error) {
	req, err := g.request(ctx, token)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	r, err := g.fetch.do(req, maxReply)
	if err != nil {
		return nil, unavailable(askPause, err)
	}
	bound := g.clientID != ""
	switch {
	case r.status == http.StatusOK:
	case bound && (r.status == http.StatusNotFound || r.status == http.StatusUnprocessableEntity):
		return nil, errors.New("not a token of the configured GitHub app")
	case !bound && r.status == http.StatusUnauthorized:
		return nil, errors.New("not a GitHub token")
	default:
		// Also 401 when bound: it is our own credentials that are wrong.
		return nil, unavailable(askPause, &statusError{githubAPI, r.status})
	}
	return g.read(r)
}

func (g *github) request(ctx context.Context, token string) (*http.Request, error) {
	if g.clientID == "" {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, githubAPI+"/user", nil)
		if err == nil {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		return req, err
	}
	body, err := json.Marshal(map[string]string{"access_token": token})
	if err != nil {
		return nil, err
	}
	check := githubAPI + "/applications/" + url.PathEscape(g.clientID) + "/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, check, strings.NewReader(string(body)))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
		req.SetBasicAuth(g.clientID, g.secret)
	}
	return req, err
}

// read takes the user and the scopes from an answer. The id is what stays the same: a login can be
// given up and taken by someone else.
func (g *github) read(r *reply) (*Caller, error) {
	object, err := decodeObject(r.body)
	if err != nil {
		return nil, unavailable(askPause, fmt.Errorf("%s: %w", githubAPI, err))
	}
	caller := &Caller{Claims: object, ClientID: g.clientID}
	user := object
	if g.clientID == "" {
		for _, s := range strings.Split(r.header.Get("X-OAuth-Scopes"), ",") {
			if s = strings.TrimSpace(s); config.IsScope(s) {
				caller.Scopes = append(caller.Scopes, s)
			}
		}
	} else {
		app, _ := object["app"].(map[string]any)
		if app["client_id"] != g.clientID {
			return nil, errors.New("a token of another GitHub app")
		}
		user, _ = object["user"].(map[string]any)
		if caller.Scopes, err = (claims{"scope": object["scopes"]}).scopes(); err != nil {
			return nil, err
		}
		if at, ok := object["expires_at"].(string); ok {
			if caller.Expires, err = time.Parse(time.RFC3339, at); err != nil {
				return nil, fmt.Errorf("expires_at: %w", err)
			}
		}
	}
	id, _ := user["id"].(json.Number)
	if _, err := id.Int64(); err != nil {
		return nil, errors.New("no user id")
	}
	caller.Subject = id.String()
	caller.Principal = "https://github.com\x00" + caller.Subject
	return caller, nil
}
