package packprobe

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/process"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// lastWords is a launcher whose processes see nothing of this machine, and that keeps the end of what
// they complain of.
type lastWords struct {
	hide *strings.Replacer // takes secrets of the configuration out

	mu   sync.Mutex
	text []byte
}

// newLastWords returns one for a server with this environment.
func newLastWords(env map[string]string) *lastWords {
	var pairs []string
	for name, value := range env {
		if authenv.SoundsSecret(name) && value != "" {
			pairs = append(pairs, value, "[redacted]")
		}
	}
	return &lastWords{hide: strings.NewReplacer(pairs...)}
}

const lastWordsBytes = 2 << 10

// Launch implements mcpfunc.Launcher.
func (l *lastWords) Launch(ctx context.Context, s mcpfunc.Server, _ []string) (mcpfunc.Process, error) {
	p, err := mcpfunc.ExecLauncher{}.Launch(ctx, s, authenv.Join([]string{"HOME=" + os.TempDir()}, s.Env))
	if err != nil {
		return nil, err
	}
	return &overheard{Process: p, words: l}, nil
}

// explain adds to err what the processes complained of last.
func (l *lastWords) explain(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.hide.Replace(string(l.text))
	if text = strings.TrimSpace(text[max(0, len(text)-lastWordsBytes):]); text != "" {
		return fmt.Errorf("%w; it said: %s", err, text)
	}
	return err
}

// Write keeps the end of p, and as much before it, so that no secret is cut before it is known.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-2*lastWordsBytes):]
	return len(p), nil
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
