package process

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func homeEnv(home, temp string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + temp}
}

// What a child has to itself goes with it, however that ends and whatever it did to it.
func TestHomesGoWithTheirChildren(t *testing.T) {
	box := Sandbox{ReadOnly: true, Env: homeEnv}
	needs(t, box)
	s := Open(slog.New(slog.DiscardHandler))
	start := func(script string) *Child {
		t.Helper()
		c, err := s.Start(Spec{Command: "/bin/sh", Args: []string{"-c", script}, Sandbox: box})
		if err != nil {
			t.Fatal(err)
		}
		line(t, c)
		return c
	}
	stubborn := start(`mkdir -p "$HOME/a/b" && echo x >"$HOME/a/b/c" && chmod 0 "$HOME/a/b" "$HOME/a" "$HOME"; echo ready; cat`)
	daemon := start(`(setsid sh -c 'trap "" TERM HUP; while :; do echo x >"$HOME/x$RANDOM"; sleep 0.05; done' >/dev/null 2>&1 </dev/null &); echo ready; cat`)
	other := start(`echo ready; cat`)
	for _, c := range []*Child{stubborn, daemon} {
		c.Kill()
		eventually(t, "end of "+c.enclosure.home, func() bool {
			_, err := os.Lstat(filepath.Dir(c.enclosure.home))
			return errors.Is(err, fs.ErrNotExist)
		})
	}
	if _, err := os.Stat(other.enclosure.home); err != nil {
		t.Errorf("the home of another: %v", err)
	}
	s.Close()
	if _, err := os.Lstat(s.sys.folders.root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of all: %v", err)
	}
}

func TestHomesGoWithAnAppThatIsKilled(t *testing.T) {
	needs(t, Sandbox{ReadOnly: true, Env: homeEnv})
	app := exec.Command("/proc/self/exe")
	app.Env = append(os.Environ(), "PROCESS_TEST_APP=echo $HOME; chmod 0 $HOME; cat", "PROCESS_TEST_SANDBOX=1", "PROCESS_TEST_LAUNCHER=exec")
	out, err := app.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	var home string
	if _, err := fmt.Fscanln(out, &home); err != nil {
		t.Fatal(err)
	}
	app.Process.Kill()
	app.Wait()
	eventually(t, "end of "+home, func() bool {
		_, err := os.Lstat(filepath.Dir(filepath.Dir(home)))
		return errors.Is(err, fs.ErrNotExist)
	})
}

// Where no guard is, the next app tidies up.
func TestHomesOfAppsThatAreGoneAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	old := time.Now().Add(-time.Hour)
	gone, alive, young := newFolders("1000000001"), newFolders("1000000002"), newFolders("1000000003")
	for _, f := range []*folders{&gone, &alive} {
		if _, err := f.add(); err != nil {
			t.Fatal(err)
		}
		os.Chtimes(f.root, old, old)
	}
	gone.lock.Close() // as if its process had been killed
	if err := os.Mkdir(young.root, 0o700); err != nil {
		t.Fatal(err)
	}
	next := newFolders("1000000004")
	if _, err := next.add(); err != nil {
		t.Fatal(err)
	}
	for root, want := range map[string]bool{gone.root: false, alive.root: true, young.root: true, next.root: true} {
		if _, err := os.Stat(root); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", root, err == nil, want)
		}
	}
	alive.close()
	next.close()
}
