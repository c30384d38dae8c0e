package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	slow      = time.Second            // what takes longer is shown
	redrawing = 100 * time.Millisecond // between two redraws
)

// A progress shows that something is under way once it has taken a second: on a terminal by one line
// that is redrawn with the time that has passed, elsewhere by a line when it has become clear that it
// takes long. What is over within a second shows nothing until its end.
type progress struct {
	env   *Env
	what  string
	start time.Time
	over  chan struct{} // closed by end
	gone  chan struct{} // closed when nothing is shown any more
	shown bool          // read once gone is closed
}

// begin starts to show that something is under way. The caller calls end once, and does not prompt
// before.
func (e *Env) begin(what string) *progress {
	p := &progress{env: e, what: what, start: time.Now()}
	p.run()
	return p
}

func (p *progress) run() {
	p.over, p.gone = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(p.gone)
		p.show()
	}()
}

// pause shows nothing while ask asks.
func (p *progress) pause(ask func() error) error {
	p.end()
	defer p.run()
	return ask()
}

// end stops the showing. A line that was redrawn is gone then.
func (p *progress) end() {
	close(p.over)
	<-p.gone
}

func (p *progress) show() {
	wait := time.NewTimer(slow)
	defer wait.Stop()
	select {
	case <-p.over:
		return
	case <-wait.C:
	}
	p.shown = true
	screen, ok := p.env.Stderr.(*screen)
	if !ok || !screen.live || p.env.quiet {
		p.env.note("%s", p.what)
		return
	}
	style := styleFor(p.env, screen)
	redraw := time.NewTicker(redrawing)
	defer redraw.Stop()
	for {
		screen.draw(p.what + " " + style.dim(elapsed(time.Since(p.start))))
		select {
		case <-p.over:
			screen.draw("")
			return
		case <-redraw.C:
		}
	}
}

// during does what may take a while. When it took longer than a second and went well, a line says how
// long.
func (e *Env) during(what string, do func() error) error {
	return e.duringAsking(what, func(*progress) error { return do() })
}

// duringAsking is during for what may have a question on its way.
func (e *Env) duringAsking(what string, do func(*progress) error) error {
	p := e.begin(what)
	err := do(p)
	took := time.Since(p.start)
	p.end()
	if err == nil && p.shown {
		e.note("%s: done after %s", what, elapsed(took))
	}
	return err
}

// elapsed is a time as a person who waits wants it, and as wide as a moment ago.
func elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Truncate(time.Second).String()
}

// A screen is standard error: what is written to it, above one line that is redrawn. Its methods may
// be called from any goroutine.
type screen struct {
	out  io.Writer
	tty  bool // a person is in front of it
	live bool // its last line can be redrawn

	mu   sync.Mutex // keeps what is written in order, as the lock of a log.Logger does
	line string     // what stands below everything else
	open bool       // what was written last did not end its line
}

func newScreen(env *Env, out io.Writer) *screen {
	return &screen{out: out, tty: isTerminal(out), live: takesEscapes(env, out)}
}

const erase = "\r\x1b[K"

// Write writes above the line.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != "" && !s.open {
		if _, err := io.WriteString(s.out, erase); err != nil {
			return 0, err
		}
	}
	n, err := s.out.Write(p)
	if n > 0 {
		s.open = p[n-1] != '\n'
	}
	if err == nil && s.line != "" && !s.open {
		_, err = io.WriteString(s.out, s.line)
	}
	return n, err
}

// draw shows line in place of the one before; an empty one takes that away. What cannot be shown is
// not worth an error.
func (s *screen) draw(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" && line == "" {
		return
	}
	s.line = s.clip(line)
	if !s.open {
		_, _ = io.WriteString(s.out, erase+s.line)
	}
}

// clip cuts what would wrap, as a wrapped line cannot be erased. It errs towards cutting: escape
// sequences count as text.
func (s *screen) clip(line string) string {
	f, ok := s.out.(*os.File)
	if !ok {
		return line
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width == 0 {
		width = 80 // a terminal that does not know its size
	}
	if len(line) < width {
		return line
	}
	plain := strings.NewReplacer("\x1b[2m", "", "\x1b[0m", "").Replace(line)
	return plain[:min(len(plain), width-1)]
}
