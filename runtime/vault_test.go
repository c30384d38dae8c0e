package mcpfunc

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const vaultReference = "@Microsoft.KeyVault(VaultName=v;SecretName=s)"

// The platform passes a reference on as it stands while it cannot read the secret, as in the minutes
// after the first deployment.
func TestUnresolvedReferencesReachNoServer(t *testing.T) {
	project(t, map[string]string{"mcp_config.json": `{"mcpServers": {
		"good": {"command": "x", "inherit_env": ["MY_*"]},
		"bad": {"command": "x", "args": ["--key=${API_KEY}"]}
	}}`})
	t.Setenv("API_KEY", vaultReference)
	t.Setenv("MY_KEY", vaultReference)
	t.Setenv("MY_WORD", "word")
	t.Setenv(sessionKeySetting, vaultReference)
	t.Setenv(redisSetting, vaultReference)
	var saw []string
	a, log := underHost(t, Options{Launcher: LauncherFunc(func(_ context.Context, spec Server, env []string) (Process, error) {
		saw = append(slices.Concat(spec.Args, env), spec.Name)
		return nil, errors.New("not here")
	})})
	status, body := inquire(a, http.MethodPost, "/api/mcp/bad", openingMessage)
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "API_KEY") || !strings.Contains(body, "Key Vault Secrets User") || strings.Contains(body, "VaultName") {
		t.Errorf("a server whose variable is a reference: %d %s", status, body)
	}
	if saw != nil {
		t.Errorf("it was started with %q", saw)
	}
	inquire(a, http.MethodPost, "/api/mcp/good", openingMessage)
	text := strings.Join(saw, "\n")
	if !strings.Contains(text, "MY_WORD=word") || strings.Contains(text, "KeyVault") {
		t.Errorf("the other one was started with %q", saw)
	}
	for _, setting := range []string{sessionKeySetting, redisSetting, "MY_KEY", "API_KEY"} {
		found := false
		for line := range strings.Lines(log()) {
			found = found || strings.Contains(line, `"level":"ERROR"`) && strings.Contains(line, setting) && strings.Contains(line, "Key Vault")
		}
		if !found {
			t.Errorf("no error in the log names %s: %s", setting, log())
		}
	}
	if strings.Contains(log(), "VaultName") {
		t.Errorf("the log shows the reference: %s", log())
	}
}

// An invalid key is another matter: it was meant.
func TestSessionKeyThatIsNoneIsAnswered(t *testing.T) {
	project(t, map[string]string{"mcp_config.json": `{"mcpServers": {"a": {"command": "x"}}}`})
	t.Setenv(sessionKeySetting, "s3cret-value")
	a, _ := underHost(t, Options{})
	status, body := inquire(a, http.MethodPost, "/api/mcp/a", openingMessage)
	if status != http.StatusServiceUnavailable || !strings.Contains(body, sessionKeySetting) || strings.Contains(body, "s3cret") {
		t.Errorf("%d %s", status, body)
	}
}
