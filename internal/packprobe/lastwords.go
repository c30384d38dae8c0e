package packprobe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/hint"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/secret"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// lastWords is a launcher whose processes see no more of this machine than it says and may do no more than on
// Azure, and that keeps the end of what they complain of.
type lastWords struct {
	secrets *secret.Redactor // of the configuration
	dir     string           // that the servers are tried in, which is not shown
	environ []string         // what the processes see besides their own variables
	demote  []string         // what a command line is put after so that modes of files bind it

	trial *forkTrial // nil for a start that is no fork

	mu      sync.Mutex
	text    []byte
	imports *importList // nil where nobody asks
}

// newLastWords returns one for a server with this environment and these arguments, in a folder that is gone
// afterwards.
func newLastWords(env map[string]string, args []string, dir string) *lastWords {
	var known secret.Values
	for name, value := range env {
		known.Setting(name, value)
	}
	known.Args(args)
	if dir != "" {
		dir += string(filepath.Separator)
	}
	return &lastWords{secrets: known.Redactor(), dir: dir, environ: []string{"HOME=" + os.TempDir()}, demote: demotion()}
}

const lastWordsBytes = 2 << 10

// Launch implements mcpfunc.Launcher.
func (l *lastWords) Launch(ctx context.Context, s mcpfunc.Server, _ []string) (mcpfunc.Process, error) {
	if l.trial != nil {
		return l.fork(ctx, s)
	}
	return l.exec(ctx, s)
}

func (l *lastWords) fork(ctx context.Context, s mcpfunc.Server) (mcpfunc.Process, error) {
	p, err := l.trial.start(ctx, s, authenv.Join(l.environ, s.Env), l.demote)
	if err != nil {
		return nil, err
	}
	return &overheard{Process: p, words: l}, nil
}

func (l *lastWords) exec(ctx context.Context, s mcpfunc.Server) (mcpfunc.Process, error) {
	if len(l.demote) > 0 {
		s.Args = slices.Concat(l.demote[1:], []string{s.Command}, s.Args)
		s.Command = l.demote[0]
	}
	p, err := mcpfunc.ExecLauncher{}.Launch(ctx, s, authenv.Join(l.environ, s.Env))
	if err != nil {
		return nil, err
	}
	return &overheard{Process: p, words: l}, nil
}

// explain adds to err what the processes complained of last, and a hint that fits it.
func (l *lastWords) explain(err error, target pack.Target) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.shown(string(l.text))
	if l.trial != nil {
		if why := l.trial.why(err, text); why != err {
			return errors.New(l.shown(why.Error()))
		}
	}
	text = strings.TrimSpace(text[max(0, len(text)-lastWordsBytes):])
	help := hintFor(err, text, target)
	if text = lastFrame(text); text != "" {
		err = fmt.Errorf("%w; it said: %s", err, text)
	}
	return hint.With(err, help)
}

// lastFrame is text without what comes before the last frame of Python's last traceback: the place of the error, and
// the error itself. A server that was started twice has said all of it twice.
func lastFrame(text string) string {
	_, trace, found := cutLast(text, "Traceback (most recent call last)")
	if !found {
		return text
	}
	if _, frame, found := cutLast(trace, "\n  File "); found {
		return "File " + frame
	}
	return text
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// shown is text without secrets and the folder of the trial.
func (l *lastWords) shown(text string) string {
	if l.dir != "" {
		text = strings.ReplaceAll(text, l.dir, "")
	}
	return l.secrets.Redact(text)
}

// Write keeps the end of p, and as much before it, so that no secret is cut before it is known.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	if l.imports != nil {
		p = l.imports.take(p)
	}
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-2*lastWordsBytes):]
	return n, nil
}

// overheard is a process whose stderr goes to words too.
type overheard struct {
	mcpfunc.Process
	words *lastWords
}

// Stderr returns the process's stderr; ExecLauncher's have one.
func (o *overheard) Stderr() io.Reader {
	return io.TeeReader(o.Process.(process.Complainer).Stderr(), o.words)
}
