package mcpfunc

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// wellKnown is where RFC 9728, section 3.1, puts the metadata of a resource: before its path.
const wellKnown = "/.well-known/oauth-protected-resource"

type resourceMetadata = oauthex.ProtectedResourceMetadata

// guard makes the guard of one path of a server.
func (a *App) guard(spec Server, path string) (guarded, error) {
	if a.opts.Auth != nil {
		return guarded{guard: custom{a.opts.Auth}}, nil
	}
	env := a.authEnv(path)
	if env.Resource == "" && a.verifies(spec) {
		return guarded{}, &ConfigError{Key: "auth", Err: errors.New("the public URL is not known, but OAuth clients need it"), Hint: "set runtime.public_url"}
	}
	g, err := authn.New(spec.method, env)
	if err != nil {
		return guarded{}, err
	}
	if a.cfg.platformAuth {
		return guarded{guard: g}, nil
	}
	m, err := authn.Metadata(spec.method, env)
	if err != nil {
		return guarded{}, err
	}
	return guarded{g, m}, nil
}

// verifies reports whether callers of a server bring a token, which is verified.
func (a *App) verifies(spec Server) bool {
	return a.opts.Auth != nil || spec.method.Method == config.AuthAzureOBO || spec.method.Method == config.AuthOAuth2Bearer
}

// authEnv is the app as a guard of a path needs to know it.
func (a *App) authEnv(path string) authn.Env {
	env := authn.Env{
		Development: a.cfg.development, AuthorityHost: a.cfg.authorityHost, TenantID: a.cfg.tenantID,
		Transport: a.providers, Logger: a.log,
	}
	if base := strings.TrimSuffix(a.cfg.PublicURL, "/"); base != "" {
		env.Resource, env.MetadataURL = base+path, base+wellKnown+path
		if a.cfg.platformAuth {
			env.MetadataURL = base + wellKnown
		}
	}
	return env
}

// custom is a guard that a user of this package wrote.
type custom struct{ Auth }

func (c custom) Check(r *http.Request) (*authn.Caller, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	info, err := c.Verify(r.Context(), token, r)
	var refused *AuthError
	switch {
	case errors.As(err, &refused):
		e := &authn.Error{Status: refused.Status, Code: refused.Code, Message: refused.Message}
		if refused.Status == http.StatusUnauthorized {
			e.Challenge = &authn.Challenge{}
		}
		return nil, e
	case err != nil:
		return nil, err
	case info == nil || info.UserID == "":
		return nil, errors.New("Auth.Verify returned no user")
	}
	return &authn.Caller{
		Principal: "custom\x00" + info.UserID, Token: token, Subject: info.UserID, Scopes: info.Scopes,
		Expires: info.Expiration, Claims: map[string]any{infoClaim: info},
	}, nil
}

// Missing returns those of scopes that the caller's token does not grant.
func (custom) Missing(c *authn.Caller, scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return slices.Contains(c.Scopes, s) })
}

// StepUp refuses a request for want of scopes.
func (custom) StepUp(_ *authn.Caller, missing []string) *authn.Error {
	return authn.InsufficientScope(missing)
}

// infoClaim is where a custom caller keeps its TokenInfo.
const infoClaim = "mcpfunc:token_info"

// refuseUnauthorized answers a request that a guard refused.
func (a *App) refuseUnauthorized(w http.ResponseWriter, r *http.Request, err error) {
	if refused, ok := errors.AsType[*authn.Error](err); ok {
		a.log.Debug("request refused", "path", r.URL.Path, "request", r.Header.Get("X-Azure-Functions-Invocationid"),
			"status", refused.Status, "why", refused.Error())
		refused.ServeHTTP(w, r)
		return
	}
	a.log.Error("cannot verify the caller", "path", r.URL.Path, "error", err)
	refuse(w, http.StatusInternalServerError, "internal_error", "The caller could not be verified")
}
