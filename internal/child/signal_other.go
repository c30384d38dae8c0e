//go:build !unix

package child

import "os/exec"

func signalOf(ee *exec.ExitError) string { return ee.Error() }
