// Package fronttest runs the HTTP path of the Azure Functions host, built from the host's own parts, in front of
// a handler. It is for tests only.
package fronttest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Start runs the front program on the project in dir, with the host's environment env, before the
// handler that listens on a port of 127.0.0.1, until the test ends. It returns where clients connect.
func Start(t testing.TB, program, dir string, env []string, handlerPort string, args ...string) string {
	t.Helper()
	address := Address(t)
	StartAt(t, address, program, dir, env, handlerPort, args...)
	return "http://" + address
}

// Address returns a free address of 127.0.0.1, as host:port.
func Address(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// StartAt is Start for a front whose address, host:port, was known before the handler started.
func StartAt(t testing.TB, address, program, dir string, env []string, handlerPort string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, append([]string{"--listen", "http://" + address, "--project", dir, "--handler", handlerPort}, args...)...)
	cmd.Env = env
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan error, 1)
	ended := make(chan struct{})
	var said lines
	go func() {
		defer close(ended)
		ready <- awaitReady(stderr)
		said.keep(stderr)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait() // it was killed
		if t.Failed() && len(said) > 0 {
			t.Logf("the front said:\n%s", strings.Join(said, "\n"))
		}
	})
	select {
	case err := <-ready:
		if err != nil {
			t.Fatalf("start the front: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("start the front: it is not ready after a minute")
	}
}

// awaitReady reads until the front says that it is ready. What it said before its end is the error.
func awaitReady(stderr io.Reader) error {
	var said strings.Builder
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "front: ready") {
			return nil
		}
		said.WriteString(lines.Text() + "\n")
	}
	return errors.Join(errors.New(said.String()), lines.Err())
}

// lines are the last lines of a program: 100 at most.
type lines []string

func (l *lines) keep(r io.Reader) {
	for s := bufio.NewScanner(r); s.Scan(); {
		*l = append((*l)[max(0, len(*l)-99):], s.Text())
	}
}
