//go:build !mcpfunc_devpage

package mcpfunc

import "testing"

// A build without the tag has no page even where everything else speaks for one.
func TestDeployedBuildHasNoPageOfDev(t *testing.T) {
	t.Parallel()
	hasNoPage(t, &Config{development: true, devKey: testKey})
}
