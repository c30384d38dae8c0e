//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// The set of 2026-07-28 has scenarios that do not count (extensions among them), which the reference
// server does not pass over its own HTTP either. The suite's exit code says whether all that count
// passed; of the others the bridge must not lose one.
func TestConformanceSuiteOfTheRevisionWithoutSessionsPasses(t *testing.T) {
	child := program(t, conformanceServer)
	b := bridge(t, fmt.Sprintf(`{"mcpServers": {"everything": {"command": %q}}}`, child))
	args := []string{"--requirements", "2026-07-28"}
	direct := conform(t, serveHTTP(t, child, "-stateless=true"), "conformance-current", args)
	bridged := conform(t, b.Endpoint("everything"), "conformance-current", args)

	d, g := direct.total(), bridged.total()
	t.Logf("2026-07-28: %d passed and %d failed over the server's own HTTP, %d and %d over the bridge; they differ in:\n%s",
		d.passed, d.failed, g.passed, g.failed, difference(direct.scenarios, bridged.scenarios))
	if direct.exit != nil {
		t.Errorf("the reference server over its own HTTP: %v\n%s", direct.exit, direct.log)
	}
	if bridged.exit != nil {
		t.Errorf("the bridge: %v\n%s", bridged.exit, strings.Join(bridged.failures, "\n"))
	}
	for scenario, own := range direct.scenarios {
		if got := bridged.scenarios[scenario]; got.failed > own.failed {
			t.Errorf("%s: %d checks failed, %d over the server's own HTTP", scenario, got.failed, own.failed)
		}
	}
}
