package authn

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// The values of ver. A token's version is its app registration's choice, not its endpoint's.
const (
	entraV1 = "1.0"
	entraV2 = "2.0"
)

// tenantTemplate is the placeholder for a tenant's ID in tenant-independent metadata.
const tenantTemplate = "{tenantid}"

// A cloud is one of Microsoft's: where its metadata are and how its issuers are called.
type cloud struct {
	authority string // https://login.microsoftonline.com
	sts       string // the issuer of version 1.0 tokens, without the tenant
}

// cloudFor returns the cloud that the configuration names, else the environment, else the public one. Its
// authority may lack the scheme, as in AZURE_AUTHORITY_HOST. One that is not Microsoft's issues both versions
// under its own name.
func cloudFor(cfg config.Auth, env Env) (cloud, error) {
	authority := cmp.Or(cfg.AzureAuthority, env.AuthorityHost, "https://login.microsoftonline.com")
	if !strings.Contains(authority, "://") {
		authority = "https://" + authority
	}
	authority = strings.TrimRight(authority, "/")
	if err := checkURL(authority, env.Development); err != nil {
		return cloud{}, fmt.Errorf("azure_authority: %w", err)
	}
	u, _ := url.Parse(authority) // which checkURL has done, too
	if u.Path != "" || u.RawQuery != "" {
		return cloud{}, fmt.Errorf("azure_authority: %s must be a host without a path; the tenant goes into azure_tenant_id", authority)
	}
	switch u.Host {
	case "login.microsoftonline.com", "login.windows.net":
		return cloud{"https://login.microsoftonline.com", "https://sts.windows.net"}, nil
	case "login.microsoftonline.us":
		return cloud{authority, "https://sts.windows.net"}, nil
	case "login.partner.microsoftonline.cn", "login.chinacloudapi.cn":
		return cloud{"https://login.partner.microsoftonline.cn", "https://sts.chinacloudapi.cn"}, nil
	}
	return cloud{authority, authority}, nil
}

func (c cloud) issuer(version, tenant string) string {
	if version == entraV1 {
		return c.sts + "/" + tenant + "/"
	}
	return c.authority + "/" + tenant + "/v2.0"
}

// discovery returns the URL of the metadata for tokens of one version. For the template tenant it
// is the tenant-independent document.
func (c cloud) discovery(version, tenant string) string {
	if tenant == tenantTemplate {
		tenant = "common"
	}
	if version == entraV1 {
		return c.authority + "/" + tenant + "/.well-known/openid-configuration"
	}
	return c.authority + "/" + tenant + "/v2.0/.well-known/openid-configuration"
}

// entraSettings is an auth object of method azure_obo, checked.
type entraSettings struct {
	cloud     cloud
	tenants   []string // nil means all, which has to be written as "*"
	appID     string   // which bare names of scopes belong to
	audiences []string
	required  []string // as they are in scp
	scope     string   // what a client has to ask Entra for, space separated
}

// keyTenants returns the tenants whose key sets are needed.
func (s *entraSettings) keyTenants() []string {
	if s.tenants == nil {
		return []string{tenantTemplate}
	}
	return s.tenants
}

// authorizationServers returns the issuers that a client can get a token from.
func (s *entraSettings) authorizationServers() []string {
	if s.tenants == nil {
		return []string{s.cloud.issuer(entraV2, "organizations")}
	}
	var all []string
	for _, t := range s.tenants {
		all = append(all, s.cloud.issuer(entraV2, t))
	}
	return all
}

func entraSettingsOf(cfg config.Auth, env Env) (*entraSettings, error) {
	clientID := strings.ToLower(cfg.AzureClientID)
	if !guid.MatchString(clientID) {
		return nil, fmt.Errorf("azure_client_id: %s is not the id of an app registration", printable(cfg.AzureClientID))
	}
	cloud, err := cloudFor(cfg, env)
	if err != nil {
		return nil, err
	}
	tenants, err := allowedTenants(cfg, env)
	if err != nil {
		return nil, err
	}
	s := &entraSettings{cloud: cloud, tenants: tenants, appID: "api://" + clientID, audiences: []string{clientID}}
	if tenants != nil {
		// An App ID URI is unique within a tenant: where any tenant is allowed, another one may have given the
		// same to an app of its own. One that is the server's own address is what RFC 8707 makes of it.
		s.audiences = append(s.audiences, s.appID)
		if env.Resource != "" {
			s.audiences = append(s.audiences, env.Resource)
		}
	}
	var ask []string
	for _, scope := range cfg.AzureRequiredScopes {
		if !config.IsScope(scope) {
			return nil, fmt.Errorf("azure_required_scopes: %s is not a scope", printable(scope))
		}
		s.required = append(s.required, bareScope(scope))
		ask = append(ask, s.fullScope(scope))
	}
	if len(ask) == 0 {
		ask = []string{s.appID + "/.default"}
	}
	s.scope = strings.Join(ask, " ")
	return s, nil
}

// allowedTenants returns the tenants whose users may call, nil for all of them.
func allowedTenants(cfg config.Auth, env Env) ([]string, error) {
	tenants := cfg.AzureAllowedTenants
	if own := cmp.Or(cfg.AzureTenantID, env.TenantID); len(tenants) == 0 && own != "" {
		tenants = []string{own}
	}
	if len(tenants) == 0 {
		return nil, errors.New(`no tenant: set azure_tenant_id, or azure_allowed_tenants ("*" for all)`)
	}
	tenants = lower(tenants)
	for _, t := range tenants {
		switch {
		case t == "*" && len(tenants) == 1:
			return nil, nil
		case !guid.MatchString(t):
			return nil, fmt.Errorf("tenant %s is not a GUID", printable(t))
		}
	}
	return tenants, nil
}

func lower(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, strings.ToLower(s))
	}
	return out
}

// guid is how Entra writes one: in lower case, with hyphens.
var guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
