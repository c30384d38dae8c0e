package authenv

import (
	"net/http"
	"strings"
	"testing"
)

func TestVariablesThatNoCallerMaySet(t *testing.T) {
	t.Parallel()
	for name := range strings.FieldsSeq(`PATH Path path HOME LD_PRELOAD LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES PYTHONPATH PYTHONSTARTUP PYTHONHOME
		NODE_OPTIONS NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED npm_config_registry UV_INDEX_URL PIP_INDEX_URL PERL5OPT RUBYOPT JAVA_TOOL_OPTIONS
		_JAVA_OPTIONS DOTNET_STARTUP_HOOKS CORECLR_PROFILER BASH_ENV ENV IFS SHELLOPTS GIT_SSH_COMMAND EDITOR PAGER HTTPS_PROXY https_proxy
		SSL_CERT_FILE REQUESTS_CA_BUNDLE AWS_CA_BUNDLE SSLKEYLOGFILE OPENSSL_CONF GLIBC_TUNABLES GODEBUG IDENTITY_ENDPOINT IDENTITY_HEADER MSI_SECRET
		AZURE_CLIENT_ID AZURE_CLIENT_SECRET AZURE_AUTHORITY_HOST AZURE_TOKEN_CREDENTIALS AZURE_USER_ASSERTION MCPFUNC_SESSION_KEY MCPFUNC_ANY
		WEBSITE_SITE_NAME FUNCTIONS_WORKER_RUNTIME AzureWebJobsStorage APPLICATIONINSIGHTS_CONNECTION_STRING OTEL_EXPORTER_OTLP_ENDPOINT TRACEPARENT
		PORT TMPDIR LC_ALL KUBECONFIG DOCKER_HOST XDG_CONFIG_HOME A-B 1A A=B Ä`) {
		if CheckVariable(name) == nil {
			t.Errorf("%s may come from a caller", name)
		}
	}
	for name := range strings.FieldsSeq("GITHUB_TOKEN GITHUB_PERSONAL_ACCESS_TOKEN GOOGLE_API_KEY JIRA_API_TOKEN SLACK_BOT_TOKEN PERPLEXITY_API_KEY AZURE_DEVOPS_PAT NPM_TOKEN DOCKER_HUB_TOKEN user_name _x") {
		if err := CheckVariable(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "A B", "A\x00", strings.Repeat("A", 129)} {
		if CheckVariable(name) == nil {
			t.Errorf("%q is taken for the name of a variable", name)
		}
	}
}

func TestHeadersThatAreNotTheCallers(t *testing.T) {
	t.Parallel()
	for name := range strings.FieldsSeq(`Authorization authorization Proxy-Authorization Cookie X-Functions-Key X-Forwarded-For X-Forwarded-Host Forwarded
		X-MS-CLIENT-PRINCIPAL X-MS-TOKEN-AAD-ACCESS-TOKEN X-ARR-SSL X-Azure-FDID Mcp-Session-Id Mcp-Param-x Mcp-Name Last-Event-ID Host Connection
		Transfer-Encoding TE Upgrade Content-Length Content-Type Origin Referer User-Agent Sec-Fetch-Site traceparent Request-Id X-Original-URL Via`) {
		if CheckHeader(name) == nil {
			t.Errorf("%s may become a variable", name)
		}
	}
	for _, name := range []string{"X-GitHub-Token", "Private-Token", "X-Api-Key", "Api_Key"} {
		if err := CheckHeader(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "X A", "X:A", "X\r\nA", "Ä", "${HEADER}"} {
		if CheckHeader(name) == nil {
			t.Errorf("%q is taken for the name of a header", name)
		}
	}
}

// What differs must not look the same: that would be someone else's process.
func TestDigestsTellValuesApart(t *testing.T) {
	t.Parallel()
	f, err := NewFromCaller(map[string]string{"A": "X-A", "B": "X-B"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][2]string{}
	for _, pair := range [][2]string{{"a", "b"}, {"ab", "c"}, {"a", "bc"}, {"b", "a"}, {"a\x7eB", "c"}, {"A", "b"}, {"a ", "b"}} {
		vars, digest, err := f.Take(http.Header{"X-A": {pair[0]}, "X-B": {pair[1]}}.Values, nil)
		if err != nil || vars["A"] != pair[0] || vars["B"] != pair[1] {
			t.Errorf("%q: %q %v", pair, vars, err)
		}
		if other, twice := seen[digest]; twice {
			t.Errorf("%q has the digest of %q", pair, other)
		}
		seen[digest] = pair
	}
	if _, again, _ := f.Take(http.Header{"X-B": {"b"}, "X-A": {"a"}}.Values, nil); seen[again] != [2]string{"a", "b"} {
		t.Error("the same values have another digest")
	}
}

func BenchmarkTake(b *testing.B) {
	f, _ := NewFromCaller(map[string]string{"A": "X-A"}, nil)
	h := http.Header{"X-A": {strings.Repeat("x", 40)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := f.Take(h.Values, nil); err != nil {
			b.Fatal(err)
		}
	}
}
