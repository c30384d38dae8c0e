package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// TestMain makes this binary the command mcpfunc when it is called so, which is also the server
// behind the scenes: mcpfunc demo-server. The tools that publish are called by their own names, too.
func TestMain(m *testing.M) {
	testlimit.NoExitSleep()
	testscript.Main(prebuilding{m}, map[string]func(){"mcpfunc": main, "func": fakeFunc, "az": fakeAz, "azd": fakeAzd, "hostile": hostile})
}

func TestScript(t *testing.T) {
	t.Parallel()
	cache := goEnv(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, cache...)
			e.Setenv("GORACE", os.Getenv("GORACE"))
			command, err := commandFor(e)
			if err != nil {
				return err
			}
			e.Setenv("MCPFUNC", command) // for a scene with a PATH of its own
			e.Setenv("PATH", filepath.Dir(command)+string(os.PathListSeparator)+e.Getenv("PATH"))
			// Scenes have no home of their own: what they find is what they hold.
			e.Setenv("HOME", e.WorkDir+"/home")
			e.Setenv("USERPROFILE", e.WorkDir+"/home")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    cmdExits,
			"harmless": cmdHarmless,
			"binary":   cmdBinary,
			"bundle":   cmdBundle,
			"files":    cmdFiles,
			"same":     cmdSame,
			"programs": cmdPrograms,
			"prebuilt": cmdPrebuilt,
			"port":     cmdPort,
			"serves":   cmdServes,
			"key":      cmdKey,
			"registry": cmdRegistry,
		},
	})
}

// goEnv lets a scene build with the caches of the developer and without the network.
func goEnv(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return []string{"GOCACHE=" + lines[0], "GOMODCACHE=" + lines[1], "GOPROXY=off", "GOTOOLCHAIN=local"}
}

// cmdExits is "exits CODE PROGRAM ARGS...": the program ends with that exit code.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [args...]")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if want, err := strconv.Atoi(args[0]); err != nil || got != want {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// cmdBinary is "binary FILE SIZE": it writes SIZE bytes that are no text.
func cmdBinary(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: binary file size")
	}
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

// cmdBundle is "bundle FILE DIR": FILE becomes a zip of DIR.
func cmdBundle(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bundle file dir")
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	ts.Check(z.AddFS(os.DirFS(ts.MkAbs(args[1]))))
	ts.Check(z.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o644))
}

// cmdFiles is "files DIR NAME...": DIR holds these entries and no others.
func cmdFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: files dir [name...]")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	got := make([]string, len(entries))
	for i, e := range entries {
		got[i] = e.Name()
	}
	if g, w := strings.Join(got, " "), strings.Join(args[1:], " "); g != w {
		ts.Fatalf("%s holds %q, want %q", args[0], g, w)
	}
}

// cmdSame is "same FILE1 FILE2": cmp for what is no text, whose difference nobody could read.
func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: same file1 file2")
	}
	if ts.ReadFile(args[0]) != ts.ReadFile(args[1]) {
		ts.Fatalf("%s and %s differ", args[0], args[1])
	}
}

// cmdPrograms is "programs DIR NAME...": DIR becomes the whole PATH, and holds these programs of the
// real one.
func cmdPrograms(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: programs dir [name...]")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	for _, name := range args[1:] {
		path := ts.Getenv("MCPFUNC")
		if name != "mcpfunc" {
			var err error
			path, err = exec.LookPath(name)
			ts.Check(err)
		}
		err := os.Symlink(path, filepath.Join(dir, filepath.Base(path)))
		if !errors.Is(err, fs.ErrExist) {
			ts.Check(err)
		}
	}
	ts.Setenv("PATH", dir)
}

// cmdPort is "port NAME": the variable NAME becomes a port that is free.
func cmdPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port name")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(errors.Join(err, l.Close()))
	ts.Setenv(args[0], port)
}

// cmdKey is "key NAME FILE": the variable NAME becomes the session key that FILE holds, which must be one.
func cmdKey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: key name file")
	}
	m := regexp.MustCompile(`"MCPFUNC_SESSION_KEY": ?"([^"]*)"`).FindStringSubmatch(ts.ReadFile(args[1]))
	if m == nil {
		ts.Fatalf("%s holds no key", args[1])
	}
	if raw, err := base64.StdEncoding.DecodeString(m[1]); err != nil || len(raw) != 32 {
		ts.Fatalf("the key in %s is %d bytes, %v; want 32", args[1], len(raw), err)
	}
	ts.Setenv(args[0], m[1])
}

// cmdServes is "serves URL": it waits until there is an answer 200 at URL.
func cmdServes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serves url")
	}
	for end := time.Now().Add(testlimit.Wait()); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
		resp, err := http.Get(args[0])
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("nothing answers at %s", args[0])
}
