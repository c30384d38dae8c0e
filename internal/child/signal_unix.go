//go:build unix

package child

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// signalOf names the signal that ended a process.
func signalOf(ee *exec.ExitError) string {
	if ws, ok := ee.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return unix.SignalName(ws.Signal())
	}
	return ee.Error()
}
