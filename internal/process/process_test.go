package process

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T) *Supervisor {
	t.Helper()
	s := Open(slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		s.Close()
		if n := s.Children(); n != 0 {
			t.Errorf("%d children left", n)
		}
	})
	return s
}

// launchers are the ways to start a child, and current is the one that tests are run over.
var (
	launchers = map[string]func(*Supervisor, Spec) (*Child, error){"exec": (*Supervisor).Start}
	current   = "exec"
)

// shell starts a script. Its environment is only a PATH.
func shell(t *testing.T, s *Supervisor, script string) *Child {
	t.Helper()
	c, err := launchers[current](s, Spec{Command: "sh", Args: []string{"-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}})
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, c.Stderr())
	return c
}

func line(t *testing.T, c *Child) string {
	t.Helper()
	text, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text)
}

func TestChildTalks(t *testing.T) {
	c := shell(t, open(t), `read x; echo "got $x"; exit 3`)
	if _, err := c.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	if got := line(t, c); got != "got hello" {
		t.Error(got)
	}
	var exit Exit
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("exit: %v", err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("write to a process that is gone succeeded")
	}
}

func TestAllThatWasWrittenBeforeADeathIsRead(t *testing.T) {
	c := shell(t, open(t), `i=0; while [ $i -lt 5000 ]; do echo "line $i"; i=$((i+1)); done; kill -9 $$`)
	all, err := io.ReadAll(c)
	if n := bytes.Count(all, []byte("\n")); err != nil || n != 5000 {
		t.Errorf("%d lines, %v", n, err)
	}
}

func TestDeathIsSeenAlthoughAGrandchildHoldsStdout(t *testing.T) {
	for name, script := range map[string]string{
		"of the group": `sleep 100 & echo ready; kill -9 $$`,
		"that escaped": `setsid sleep 100 & echo ready; kill -9 $$`,
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			c := shell(t, open(t), script)
			if _, err := io.ReadAll(c); err != nil {
				t.Error(err)
			}
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("end of output after %v", d)
			}
		})
	}
}

func TestStopGoesDownTheLadder(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		want   string
	}{
		"stdin":   {`echo ready; cat >/dev/null; exit 5`, "exit status 5"},
		"SIGTERM": {`trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done`, "exit status 6"},
		"SIGKILL": {`trap '' TERM; echo ready; while :; do sleep 0.05; done`, "signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			c := shell(t, open(t), tt.script)
			line(t, c)
			gone := make(chan struct{})
			go func() { c.Wait(); close(gone) }()
			Stop(c, gone, 300*time.Millisecond)
			if err := c.Wait(); err == nil || err.Error() != tt.want {
				t.Errorf("ended with %v, want %s", err, tt.want)
			}
		})
	}
}

func TestKillFreesABlockedWrite(t *testing.T) {
	c := shell(t, open(t), `echo ready; sleep 100`)
	line(t, c)
	failed := make(chan error)
	go func() {
		_, err := c.Write(make([]byte, 1<<20))
		failed <- err
	}()
	c.Kill()
	if err := <-failed; err == nil {
		t.Error("the write succeeded")
	}
}

func TestChildSeesOnlyItsEnvironment(t *testing.T) {
	t.Setenv("MCPFUNC_TEST_SECRET", "canary")
	c := shell(t, open(t), `env`)
	all, _ := io.ReadAll(c)
	if bytes.Contains(all, []byte("canary")) {
		t.Errorf("environment leaked: %s", all)
	}
}

func TestStartNamesWhatIsWrong(t *testing.T) {
	s := open(t)
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "plain"), []byte("x"), 0o644)
	for name, tt := range map[string]struct {
		spec Spec
		want string
		hint string
	}{
		"missing":        {Spec{Command: "uvx", Env: []string{"PATH=" + dir}}, "start uvx: executable file not found in $PATH", "install uv"},
		"no PATH":        {Spec{Command: "sh"}, "start sh: executable file not found in $PATH", ""},
		"not executable": {Spec{Command: "./plain", Dir: dir}, "start ./plain: permission denied", ""},
		"no file":        {Spec{Command: filepath.Join(dir, "none")}, "no such file or directory", ""},
		"directory":      {Spec{Command: dir}, "is a directory", ""},
		"no directory":   {Spec{Command: "/bin/sh", Dir: filepath.Join(dir, "none")}, "no such file or directory", ""},
		"NUL":            {Spec{Command: "/bin/sh", Args: []string{"a\x00b"}}, "invalid argument", ""},
	} {
		_, err := s.Start(tt.spec)
		var ce *CommandError
		if !errors.As(err, &ce) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(ce.Hint, tt.hint) {
			t.Errorf("%s: %v (hint %q), want %q (%q)", name, err, ce.Hint, tt.want, tt.hint)
		}
	}
}

func TestNothingStartsAfterClose(t *testing.T) {
	s := Open(slog.New(slog.DiscardHandler))
	c := shell(t, s, `sleep 100`)
	s.Close()
	if err := c.Wait(); err == nil {
		t.Error("the child ended well")
	}
	if _, err := s.Start(Spec{Command: "/bin/true"}); err == nil {
		t.Error("a child started")
	}
}

func TestManyChildren(t *testing.T) {
	s := open(t)
	done := make(chan error)
	for i := range 20 {
		go func() {
			for range 5 {
				c, err := launchers[current](s, Spec{Command: "/bin/sh", Args: []string{"-c", fmt.Sprintf("echo %d", i)}})
				if err == nil {
					go io.Copy(io.Discard, c.Stderr())
					var all []byte
					if all, err = io.ReadAll(c); err == nil && strings.TrimSpace(string(all)) != fmt.Sprint(i) {
						err = fmt.Errorf("got %q", all)
					}
					if werr := c.Wait(); err == nil {
						err = werr
					}
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestChildIsLimited(t *testing.T) {
	c := shell(t, open(t), `ulimit -c; ulimit -Hn`)
	out, err := io.ReadAll(c)
	var core, files int
	if _, serr := fmt.Sscan(string(out), &core, &files); err != nil || serr != nil {
		t.Fatal(err, serr)
	}
	if core != 0 || files > 64<<10 {
		t.Errorf("cores of %d blocks and %d open files", core, files)
	}
}
