//go:build unix

package child

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mcpfunc/mcpfunc/internal/process"
)

// signalOf names the signal that ended a process.
func signalOf(ee process.Exit) string {
	if ws, ok := ee.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return unix.SignalName(ws.Signal())
	}
	return ee.Error()
}
