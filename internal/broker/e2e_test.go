//go:build e2e

package broker

import (
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// TestUnmodifiedServerInOtherLanguages is TestUnmodifiedServerActsAsTheUser for the SDKs that most
// servers use, as test/e2e/tools/install.sh installs them.
func TestUnmodifiedServerInOtherLanguages(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.auth.ForwardUserToken = true
	l.setenv("HTTP_PROXY", "http://proxy.invalid:1")
	for name, program := range map[string][]string{
		"node":   {"node", "testdata/server.cjs"},
		"python": {e2etest.Python(), "testdata/server.py"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, id := range []string{alice, bob} {
				vars := environ(t, l.lease(l.signedIn(id)))
				for _, proxied := range []string{"HTTP_PROXY", "http_proxy"} {
					vars[proxied] = "http://proxy.invalid:1" // as of the app
				}
				vars["NODE_PATH"] = e2etest.Tool("npm", "node_modules")
				got, complaint := run(t, vars, program[0], append(program[1:], arm+"/.default")...)
				if complaint != "" {
					t.Fatalf("%s\ncure: test/e2e/tools/install.sh", complaint)
				}
				if c := claimsOf(t, got); c["oid"] != id || c["aud"] != arm {
					t.Errorf("got a token of %v for %v, want of %s for %s", c["oid"], c["aud"], id, arm)
				}
				_, complaint = run(t, vars, program[0], append(program[1:], graph+"/.default")...)
				if !strings.Contains(complaint, "azure_scopes") {
					t.Errorf("a resource that is not allowed: %q", complaint)
				}
			}
		})
	}
}
