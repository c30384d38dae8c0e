//go:build !unix

package session

import "os/exec"

func signalOf(ee *exec.ExitError) string { return ee.Error() }
