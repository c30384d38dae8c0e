//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// interrupt is a key that stands for SIGINT from elsewhere.
const interrupt = "SIGINT"

// onTerminal runs the program with a pseudo-terminal for everything and types keys once question is
// shown. It returns what was shown, and the exit code.
func onTerminal(t *testing.T, environ []string, question, keys string, args ...string) (shown string, code int) {
	t.Helper()
	mcpfunc, err := exec.LookPath("mcpfunc")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), mcpfunc, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), append(environ, "HOME="+cmd.Dir, "XDG_CONFIG_HOME="+cmd.Dir)...)
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	// A question is shown before it takes keys one by one; until then Ctrl-C would be a signal.
	if _, err := term.MakeRaw(int(terminal.Fd())); err != nil {
		t.Fatal(err)
	}
	giveUp := time.AfterFunc(testlimit.Wait(), func() { _ = cmd.Process.Kill() })
	defer giveUp.Stop()

	var screen bytes.Buffer
	for buf, typed := make([]byte, 4096), question == ""; ; {
		n, err := terminal.Read(buf)
		screen.Write(buf[:n])
		if err != nil { // EIO, when the program has ended
			break
		}
		if !typed && strings.Contains(screen.String(), question) {
			typed = true
			if keys == interrupt {
				err = cmd.Process.Signal(os.Interrupt)
			} else {
				_, err = terminal.WriteString(keys)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	exit := (*exec.ExitError)(nil)
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return screen.String(), cmd.ProcessState.ExitCode()
}

func TestTheProgramAsksOnATerminal(t *testing.T) {
	t.Parallel()
	const ctrlC = "\x03"
	shown, code := onTerminal(t, nil, "another command", ctrlC, "init", "app")
	if code != 130 || !strings.Contains(shown, "What starts the server?") {
		t.Errorf("exit code %d, shown:\n%s", code, shown)
	}
	if shown, code = onTerminal(t, nil, "", "", "init", "app", "--yes"); code != 1 || !strings.Contains(shown, "--config FILE names one") {
		t.Errorf("with --yes: exit code %d, shown:\n%s", code, shown)
	}
}

func TestTheTerminalSaysWhetherThereIsColour(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		environ []string
		colour  bool
	}{
		{[]string{"TERM=xterm-256color", "NO_COLOR="}, true},
		{[]string{"TERM=xterm-256color", "NO_COLOR=1"}, false},
		{[]string{"TERM=dumb", "NO_COLOR="}, false},
	} {
		shown, code := onTerminal(t, test.environ, "", "", "lst")
		if colour := strings.Contains(shown, "\x1b["); code != 2 || colour != test.colour {
			t.Errorf("%q: exit code %d, colour %v, want %v:\n%q", test.environ, code, colour, test.colour, shown)
		}
	}
}

func TestASignalEndsAQuestion(t *testing.T) {
	t.Parallel()
	shown, code := onTerminal(t, nil, "another command", interrupt, "init", "app")
	if code != 130 {
		t.Errorf("exit code %d, shown:\n%s", code, shown)
	}
}
