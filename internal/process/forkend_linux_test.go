package process

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A forked child that has ended did what an interpreter does at its end, with the same exit code.
func TestForkedChildEndsAsOthers(t *testing.T) {
	needPython(t)
	// An interpreter that is taken apart says so. A child does that only if something could notice the difference.
	const apart = "import os, sys\nsys.addaudithook(lambda e, a, w=os.write: e == 'cpython.PyInterpreterState_Clear' and w(1, b'taken apart'))\n"
	for name, tt := range map[string]struct {
		server   string
		ordinary bool // whether it ends in the ordinary way
	}{
		"returns":                     {"print('served')", false},
		"exits":                       {"print('served')\nsys.exit()", false},
		"exits with a code":           {"print('served')\nsys.exit(7)", false},
		"exits with -1":               {"sys.exit(-1)", false},
		"exits with a reason":         {"sys.exit('no token')", true},
		"raises":                      {"raise ValueError('bad')", true},
		"stdout is closed":            {"sys.stdout.close()", false},
		"functions at exit":           {"import atexit\natexit.register(print, 'at exit')", false},
		"a thread":                    {"import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()", false},
		"a pool":                      {"from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor()\npool.submit(print, 'pool')", false},
		"garbage":                     {"class D:\n    def __del__(self): print('del')\na = D()\na.a = a\ndel a", false},
		"an object with a destructor": {"class D:\n    def __del__(self): print('del')\nd = D()", true},
		"a file that is not flushed":  {"f = open(os.environ['FILE'], 'w')\nf.write('kept')", true},
		"a temporary file":            {"import tempfile\nf = tempfile.NamedTemporaryFile(dir=os.path.dirname(os.environ['FILE']))", true},
		"a temporary folder":          {"import tempfile\nd = tempfile.TemporaryDirectory(dir=os.path.dirname(os.environ['FILE']))", false},
		"an event loop":               {"import asyncio\nasync def f(): await asyncio.to_thread(print, 'async')\nasyncio.run(f())", false},
	} {
		t.Run(name, func(t *testing.T) {
			script := "import os, sys\nif __name__ == '__main__':\n    " + strings.ReplaceAll(apart+tt.server, "\n", "\n    ")
			type end struct {
				out, err, file string
				code, files    int
			}
			run := func(start func(env string) (io.Reader, io.Reader, func() error)) (e end) {
				dir := t.TempDir()
				file := filepath.Join(dir, "file")
				stdout, stderr, wait := start("FILE=" + file)
				said := make(chan []byte)
				go func() { b, _ := io.ReadAll(stderr); said <- b }()
				out, _ := io.ReadAll(stdout)
				e.out, e.err = string(out), string(<-said)
				var exit interface{ ExitCode() int }
				if err := wait(); errors.As(err, &exit) {
					e.code = exit.ExitCode()
				} else if err != nil {
					t.Fatal(err)
				}
				data, _ := os.ReadFile(file)
				left, _ := os.ReadDir(dir)
				e.file, e.files = string(data), len(left)
				return e
			}
			want := run(func(env string) (io.Reader, io.Reader, func() error) {
				cmd := exec.Command(python(), "-c", script)
				cmd.Env = []string{env, "PATH=" + os.Getenv("PATH")}
				var out, err bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &err
				ended := cmd.Run()
				return &out, &err, func() error { return ended }
			})
			s := open(t)
			got := run(func(env string) (io.Reader, io.Reader, func() error) {
				f, err := startForkServer(s, script)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(f.Close)
				c, err := f.Fork(Spec{Command: "server", Env: []string{env}})
				if err != nil {
					t.Fatal(err)
				}
				return c, c.Stderr(), c.Wait
			})
			var wasApart, isApart bool
			want.out, wasApart = strings.CutSuffix(want.out, "taken apart")
			got.out, isApart = strings.CutSuffix(got.out, "taken apart")
			lastLine := func(s string) string { return s[strings.LastIndexByte(strings.TrimSpace(s), '\n')+1:] }
			want.err, got.err = lastLine(want.err), lastLine(got.err) // of a traceback, whose files differ
			if got != want {
				t.Errorf("its end is %+v, and without a fork %+v", got, want)
			}
			if wasApart && isApart != tt.ordinary {
				t.Errorf("it was taken apart: %t, want %t", isApart, tt.ordinary)
			}
		})
	}
}
