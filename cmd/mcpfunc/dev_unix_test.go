//go:build unix

package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// TestInterruptEndsEverything goes the whole way: a scaffold over the real runtime, its handler, the
// server of a session with a call in flight, and then Ctrl-C for the dev server alone.
func TestInterruptEndsEverything(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "app")
	if out, err := exec.Command("mcpfunc", "init", dir, "--server", "demo", "--", "mcpfunc", "demo-server").CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}

	dev := exec.Command("mcpfunc", "dev", dir, "--port", "0")
	dev.Env = append(os.Environ(), "GOPROXY=off")
	stdout, err := dev.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := dev.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dev.Process.Kill() }) // an error says that it has ended, as it should
	pids := make(chan int, 100)
	log := make(chan string, 1)
	go func() { log <- watchPIDs(stderr, pids) }()

	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%v:\n%s", err, <-log)
	}
	name, url, _ := strings.Cut(strings.TrimSpace(line), "\t")
	if name != "demo" {
		t.Fatalf("the endpoints begin with %q", line)
	}
	if out, err := exec.Command("mcpfunc", "call", url, "echo", `{"message":"hello"}`).Output(); err != nil || string(out) != "hello\n" {
		t.Errorf("echo answers %q, %v", out, err)
	}

	// A call that will not be done when the end comes.
	call := exec.Command("mcpfunc", "call", url, "slow-count", `{"to":100,"ms":500}`)
	progress, err := call.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := call.Start(); err != nil {
		t.Fatal(err)
	}
	if said, err := bufio.NewReader(progress).ReadString('\n'); err != nil || !strings.HasPrefix(said, "progress") {
		t.Fatalf("the call said %q, %v", said, err)
	}
	handler, server := <-pids, <-pids

	if err := dev.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	said := <-log // until everything that holds the pipe has ended
	if err := dev.Wait(); err != nil {
		t.Errorf("dev ended with %v, want exit code 0:\n%s", err, said)
	}
	exit := (*exec.ExitError)(nil)
	if err := call.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the call in flight ended with %v, want exit code 1", err)
	}
	for _, pid := range []int{handler, server} {
		if !gone(pid) {
			t.Errorf("process %d is left behind", pid)
		}
	}
}

var pidInLog = regexp.MustCompile(`(?:handler started with pid |"pid":)(\d+)`)

// watchPIDs sends the processes that the log tells of, and returns the log when it ends.
func watchPIDs(log io.Reader, pids chan<- int) string {
	var text strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if m := pidInLog.FindStringSubmatch(lines.Text()); m != nil {
			pid, _ := strconv.Atoi(m[1]) // digits
			pids <- pid
		}
	}
	return text.String()
}

// gone waits for a process that was killed to be no more.
func gone(pid int) bool {
	return testlimit.Eventually(func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}
