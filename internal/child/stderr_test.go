package child

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// complain returns what is told of a process that said this.
func complain(text string, secrets *secret.Redactor) []string {
	tail := &stderrTail{log: slog.New(slog.DiscardHandler), secrets: secrets, done: make(chan struct{})}
	tail.drain(strings.NewReader(text))
	return tail.lines()
}

func TestTheLinesThatSayWhyAreKept(t *testing.T) {
	t.Parallel()
	frames := func(n int, line string) string { return strings.Repeat(line+"\n", n) }
	for _, tt := range []struct {
		name, said string
		want       []string
	}{
		{"node", "/app/index.js:7\n        throw new Error('no key');\n        ^\n\nError: no key\n    at load (/app/index.js:7:1)\n" +
			frames(20, "    at Module._compile (node:internal)") + "    at node:internal/main:1\n\nNode.js v22.3.0\n",
			[]string{"/app/index.js:7", "        throw new Error('no key');", "Error: no key", "    at load (/app/index.js:7:1)", "    at node:internal/main:1"}},
		{"python", "INFO starting\nTraceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    main()\n" +
			frames(40, "    next()") + "    last()\nValueError: no key\n",
			[]string{"INFO starting", "Traceback (most recent call last):", "  File \"a.py\", line 1, in <module>", "    last()", "ValueError: no key"}},
		{"java", "Exception in thread \"main\" java.lang.A: no\n\tat a.B.c(B.java:1)\n" + frames(30, "\tat a.B.d(B.java:2)") +
			"Caused by: java.lang.E: no key\n\tat e.F.g(F.java:1)\n\t... 31 more\n",
			[]string{"Exception in thread \"main\" java.lang.A: no", "\tat a.B.c(B.java:1)", "\tat a.B.d(B.java:2)",
				"Caused by: java.lang.E: no key", "\tat e.F.g(F.java:1)", "\t... 31 more"}},
		{"go", "panic: no key\n\ngoroutine 1 [running]:\nmain.f(...)\n" + frames(20, "\t/a.go:1\nmain.g()") + "main.main()\n\t/a.go:5 +0x1d\nexit status 2\n",
			[]string{"panic: no key", "goroutine 1 [running]:", "main.f(...)", "\t/a.go:5 +0x1d"}},
		{"rust", "thread 'main' panicked at src/main.rs:2:5:\nno key\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
			[]string{"thread 'main' panicked at src/main.rs:2:5:", "no key"}},
		{"argparse", "usage: a [-h] --key KEY\n" + frames(20, "         [--x X]") + "a: error: the following arguments are required: --key\n",
			[]string{"a: error: the following arguments are required: --key"}},
		{"commander", "error: unknown option '--x'\n\nUsage: a [options]\n\nOptions:\n" + frames(30, "  --a  b") + "\nCommands:\n  c\n",
			[]string{"error: unknown option '--x'"}},
		{"go flags", "flag provided but not defined: -x\nUsage of a:\n" + frames(30, "  -a string\n    \ta"), []string{"flag provided but not defined: -x"}},
		{"clap", "error: unexpected argument '--x' found\n\nUsage: a [OPTIONS]\n\nFor more information, try '--help'.\n", []string{"error: unexpected argument '--x' found"}},
		{"usage alone", "usage: a KEY\n", []string{"usage: a KEY"}},
		{"many lines", frames(50, "x") + "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}},
		{"long ago", "Error: old\n  at a\n  at b\n" + frames(9, "x") + "Error: new\n  at c\n", []string{"x", "x", "x", "x", "x", "x", "x", "x", "Error: new", "  at c"}},
	} {
		if diff := cmp.Diff(tt.want, complain(tt.said, nil)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}

func TestWhatIsToldOfStderrIsRedactedBeforeItIsCut(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("s", 50)
	got := complain(strings.Repeat("x", tailBytes-10)+key+"\n", secret.New(key))
	if diff := cmp.Diff([]string{strings.Repeat("x", tailBytes-10) + "[redacted]"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// BenchmarkStderrFlood is 10 MB of stderr, with what redacts as slowly as the real thing.
func BenchmarkStderrFlood(b *testing.B) {
	for name, line := range map[string]string{"long": strings.Repeat("E", 1023) + "\n", "short": "[warn] it is not so\n"} {
		b.Run(name, func(b *testing.B) {
			said := strings.Repeat(line, 10<<20/len(line))
			b.SetBytes(int64(len(said)))
			for b.Loop() {
				complain(said, secret.New("s3cr3t-value"))
			}
		})
	}
}
