package authn

import (
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// Metadata returns the RFC 9728 document of one server: what it is called, who issues tokens for it
// and what to ask them for. It is nil when callers bring no token, or when no issuer is configured
// that a client could be sent to. Serve it with the SDK's auth.ProtectedResourceMetadataHandler.
//
// The resource is env.Resource, which comes from the configuration and never from a request: a
// document that follows the Host header would send clients to the host that a caller chose.
func Metadata(cfg config.Auth, env Env) (*oauthex.ProtectedResourceMetadata, error) {
	m := &oauthex.ProtectedResourceMetadata{
		Resource:               env.Resource,
		BearerMethodsSupported: []string{"header"},
	}
	switch cfg.Method {
	case config.AuthAzureOBO:
		s, err := entraSettingsOf(cfg, env)
		if err != nil {
			return nil, err
		}
		m.AuthorizationServers = s.authorizationServers()
		m.ScopesSupported = strings.Fields(s.scope)
	case config.AuthOAuth2Bearer:
		if err := checkOAuth2(cfg, env); err != nil {
			return nil, err
		}
		switch {
		case usesGitHub(cfg):
			m.AuthorizationServers = []string{githubLogin}
		case cfg.OAuth2Issuer != "":
			m.AuthorizationServers = []string{cfg.OAuth2Issuer}
		}
		m.ScopesSupported = strings.Fields(advertised(cfg.OAuth2RequiredScopes))
	}
	if len(m.AuthorizationServers) == 0 || m.Resource == "" {
		return nil, nil
	}
	return m, nil
}
