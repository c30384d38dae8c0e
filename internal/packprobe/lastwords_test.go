package packprobe

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/hint"
	"github.com/mcpfunc/mcpfunc/internal/pack"
)

// What a server complains of while it is packed is in the log of a build, where many read it.
func TestLastWordsTellNoSecret(t *testing.T) {
	t.Parallel()
	l := newLastWords(map[string]string{"API_TOKEN": "s3cr3t-value", "ZONE": "Asia/Tokyo"}, nil, "/project/stage")
	for range 3 {
		l.Write([]byte(strings.Repeat("x", lastWordsBytes)))
	}
	l.Write([]byte("no access with s3cr3t-value to /project/stage/packed/x in Asia/Tokyo\n"))
	got := l.explain(errors.New("it ended"), pack.Target{}).Error()
	if want := "no access with [redacted] to packed/x in Asia/Tokyo"; !strings.HasSuffix(got, want) || len(got) > 2*lastWordsBytes {
		t.Errorf("%d bytes that end with %q, want %q", len(got), got[max(0, len(got)-80):], want)
	}
	if err := errors.New("it ended"); newLastWords(nil, nil, "").explain(err, pack.Target{}).Error() != err.Error() {
		t.Error("without a word there is more to say")
	}
}

func TestHintsFitTheFault(t *testing.T) {
	t.Parallel()
	late := fmt.Errorf("%w within 60s", errLate)
	ended := errors.New("the process ended")
	for _, c := range []struct {
		err    error
		said   string
		target pack.Target
		want   string
	}{
		{late, "", pack.Target{}, "timeout_seconds"},
		{late, "INFO starting", pack.Target{Python: "/usr/bin/python3"}, "timeout_seconds"},
		{ended, "Error: spawn packed/x/rg EACCES", pack.Target{}, "read-only where the app runs"},
		{ended, "OSError: [Errno 30] Read-only file system: 'logs'", pack.Target{}, "read-only where the app runs"},
		{ended, "Error: Could not locate the bindings file. Tried:", pack.Target{Unbuilt: []string{"better-sqlite3"}}, "use --scripts to run the install script of better-sqlite3"},
		{ended, "Error: Could not locate the bindings file. Tried:", pack.Target{}, "local.settings.json"},
		{ended, "ModuleNotFoundError: No module named 'tomllib'", pack.Target{Python: "/usr/bin/python3"}, "--python"},
		{ended, "x: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.39' not found (required by x)", pack.Target{}, "built for a newer Linux"},
		{ended, "Traceback (most recent call last):\n  File \"a.py\", line 1, in m\nAttributeError: 'Server' object has no attribute 'list_resources'", pack.Target{Python: "/usr/bin/python3"}, "--with 'mcp<2'"},
		{ended, "ACME_TOKEN is not set", pack.Target{Python: "/usr/bin/python3"}, "local.settings.json"},
	} {
		l := newLastWords(nil, nil, "")
		l.Write([]byte(c.said))
		if got := hint.Of(l.explain(c.err, c.target)); !strings.Contains(got, c.want) {
			t.Errorf("%v, %q: the hint is %q, want %q in it", c.err, c.said, got, c.want)
		}
	}
}

func TestTracebackIsItsLastFrame(t *testing.T) {
	t.Parallel()
	trace := "Traceback (most recent call last):\n  File \"start.py\", line 25, in <module>\n    sys.exit(main())\n  File \"server.py\", line 173, in main\n    @server.x()\nAttributeError: no x"
	for text, want := range map[string]string{
		"":                                       "",
		"a token is missing":                     "a token is missing",
		"starting\n" + trace + trace:             "File \"server.py\", line 173, in main\n    @server.x()\nAttributeError: no x",
		"Traceback (most recent call last): cut": "Traceback (most recent call last): cut",
	} {
		if got := lastFrame(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
