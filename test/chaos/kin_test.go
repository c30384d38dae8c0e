//go:build chaos

package chaos

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// markName is the variable by which the handler knows what a server started.
const markName = "MCPFUNC_CHILD"

// handlerMark is what the marks of all children of the handler that gave this one begin with, their first ten
// digits, and a dot, which says to marked that it is a beginning.
func handlerMark(mark string) string { return mark[:10] + "." }

// wrap is npx: it starts the server on its own pipes, waits for it, and does not care for SIGTERM.
func wrap() int {
	signal.Ignore(syscall.SIGTERM)
	cmd := exec.Command("/proc/self/exe", "server")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return 1
	}
	return 0
}

// outlive is a process that nothing but SIGKILL ends, for as long as a process of this suite lives.
func outlive() int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	<-time.After(lifetime)
	return 0
}

// stand is outlive for a descendant.
func stand() int {
	signal.Ignore(syscall.SIGTERM)
	ready := os.NewFile(readyFD, "ready")
	fmt.Fprintln(ready, "ready")
	ready.Close()
	return outlive()
}

// readyFD is where a descendant says that it is there.
const readyFD = 3

// beget starts a descendant, and returns once it is there. It holds all of the server's pipes.
//
//	"stubborn"  in the server's process group
//	"escaped"   by a double fork, in a session of its own
func beget(kin string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	mark := os.Getenv(markName)
	cmd := exec.Command("/proc/self/exe", "stubborn", mark)
	if kin != "stubborn" {
		cmd = exec.Command("/proc/self/exe", "fork", mark)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdin, os.Stdout, os.Stderr, []*os.File{w}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	go cmd.Wait()
	_, err = bufio.NewReader(r).ReadString('\n')
	return err
}

// fork starts a stubborn process in a session of its own and exits, so that nobody is its parent.
func fork(args []string) int {
	cmd := exec.Command("/proc/self/exe", "stubborn", args[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{os.NewFile(readyFD, "ready")}
	if cmd.Start() != nil {
		return 1
	}
	return 0
}
