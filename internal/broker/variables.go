package broker

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// tokenCredentials tells Azure's SDKs which credentials of the default chain to try.
const tokenCredentials = "AZURE_TOKEN_CREDENTIALS"

// maxValue bounds a variable's value in bytes.
const maxValue = 16 << 10

// Variables returns the variables of an auth method for a process that serves caller, as the
// reference adapter documents them:
//
//	none           nothing
//	azure_default  AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_AUTHORITY_HOST from the configuration,
//	               else from the app, and the app's AZURE_SUBSCRIPTION_ID, AZURE_TOKEN_CREDENTIALS and
//	               AZURE_CONFIG_DIR (for `az login` on a developer's machine)
//	azure_obo      AZURE_CLIENT_ID, AZURE_TENANT_ID (of the verified token), AZURE_USE_OBO, and
//	               AZURE_AUTHORITY_HOST as above; with forward_user_token AZURE_USER_ASSERTION and,
//	               if there is one, AZURE_CLIENT_SECRET
//	oauth2_bearer  OAUTH_USER_ID, OAUTH_SCOPES; with forward_user_token OAUTH_ACCESS_TOKEN
//
// app reads the app's own environment. A value that holds NUL, CR or LF, or more than 16 KiB, is
// an error, which does not repeat it. So is a nil caller where the method has users.
func Variables(auth config.Auth, caller *authn.Caller, app func(name string) string) (map[string]string, error) {
	vars := make(map[string]string)
	set := func(name, value string) {
		if value != "" {
			vars[name] = value
		}
	}
	perUser := auth.Method == config.AuthAzureOBO || auth.Method == config.AuthOAuth2Bearer
	if perUser && caller == nil {
		return nil, fmt.Errorf("auth method %s: no user is known to start a process for", auth.Method)
	}
	switch auth.Method {
	case config.AuthAzureDefault:
		set("AZURE_CLIENT_ID", cmp.Or(auth.AzureClientID, app("AZURE_CLIENT_ID")))
		set("AZURE_TENANT_ID", cmp.Or(auth.AzureTenantID, app("AZURE_TENANT_ID")))
		set("AZURE_AUTHORITY_HOST", cmp.Or(auth.AzureAuthority, app("AZURE_AUTHORITY_HOST")))
		for _, name := range []string{"AZURE_SUBSCRIPTION_ID", tokenCredentials, "AZURE_CONFIG_DIR"} {
			set(name, app(name))
		}
	case config.AuthAzureOBO:
		set("AZURE_CLIENT_ID", auth.AzureClientID)
		set("AZURE_TENANT_ID", caller.TenantID)
		set("AZURE_AUTHORITY_HOST", cmp.Or(auth.AzureAuthority, app("AZURE_AUTHORITY_HOST")))
		set("AZURE_USE_OBO", "true")
		if auth.ForwardUserToken {
			set("AZURE_CLIENT_SECRET", auth.AzureClientSecret)
			set("AZURE_USER_ASSERTION", caller.Token)
		}
	case config.AuthOAuth2Bearer:
		vars["OAUTH_USER_ID"] = caller.Subject
		vars["OAUTH_SCOPES"] = strings.Join(caller.Scopes, " ")
		if auth.ForwardUserToken {
			set("OAUTH_ACCESS_TOKEN", caller.Token)
		}
	}
	for name, value := range vars {
		switch {
		case len(value) > maxValue:
			return nil, fmt.Errorf("%s: %d bytes, want at most %d", name, len(value), maxValue)
		case strings.ContainsAny(value, "\x00\r\n"):
			return nil, fmt.Errorf("%s: the value contains NUL, CR or LF", name)
		}
	}
	return vars, nil
}

// passProxyBy adds the broker's address to those that env, or else the app, excepts from its proxy,
// if there is one. Not every SDK knows that a proxy does not lead to its own machine.
func passProxyBy(vars, env map[string]string, app func(name string) string) {
	first := func(names ...string) string {
		for _, name := range names {
			value, ok := env[name]
			if !ok {
				value = app(name)
			}
			if value != "" {
				return value
			}
		}
		return ""
	}
	if first("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY") == "" {
		return
	}
	except := "127.0.0.1"
	if others := first("no_proxy", "NO_PROXY"); others != "" {
		except = others + "," + except
	}
	vars["no_proxy"], vars["NO_PROXY"] = except, except
}
