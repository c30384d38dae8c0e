package hostemu

import (
	"os/exec"
	"syscall"
)

// endWithHost lets the kernel kill the handler when this process dies without a Close, so that no
// handler keeps a fixed port. The thread that starts cmd must live as long as the handler.
func endWithHost(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
