package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/mcpfunc/mcpfunc/internal/terminal"
)

const (
	slow      = time.Second            // what takes longer is shown
	redrawing = 100 * time.Millisecond // between two redraws
	repeating = 10 * time.Second       // between two lines where none can be redrawn
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
	now   atomic.Pointer[string]
}

// doing says what is being done now. It may be called from any goroutine until end.
func (p *progress) doing(now string) { p.now.Store(&now) }

// text is what is under way, and what of it now.
func (p *progress) text() string {
	if now := p.now.Load(); now != nil {
		return p.what + ": " + *now
	}
	return p.what
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
		p.env.note("%s", p.text())
		p.keepSaying()
		return
	}
	style := styleFor(p.env, screen)
	redraw := time.NewTicker(redrawing)
	defer redraw.Stop()
	for {
		screen.draw(painted(terminal.Line(p.text())) + " " + style.dim(elapsed(time.Since(p.start))))
		select {
		case <-p.over:
			screen.draw("")
			return
		case <-redraw.C:
		}
	}
}

// keepSaying says where it is now and then, where no line can be redrawn.
func (p *progress) keepSaying() {
	again := time.NewTicker(repeating)
	defer again.Stop()
	for last := p.text(); ; {
		select {
		case <-p.over:
			return
		case <-again.C:
		}
		if text := p.text(); text != last {
			p.env.note("%s (%s)", text, elapsed(time.Since(p.start)))
			last = text
		}
	}
}

// during does what may take a while. When it took longer than a second and went well, a line says how
// long.
func (e *Env) during(what string, do func() error) error {
	return e.duringProgress(what, func(*progress) error { return do() })
}

// duringProgress is during for what may ask a question on its way, or say where it is now.
func (e *Env) duringProgress(what string, do func(*progress) error) error {
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

// A screen is standard output or standard error. Everything that is written to it is escaped if it
// could control a terminal, even if it is not a terminal: it may be shown on one later. On standard error there is a line that
// is redrawn below everything else. Its methods may be called from any goroutine.
type screen struct {
	out  io.Writer
	tty  bool // a person is in front of it
	live bool // its last line can be redrawn

	mu      sync.Mutex // keeps what is written in order, as the lock of a log.Logger does
	line    painted    // what is shown below everything else
	open    bool       // what was written last did not end its line
	partial string     // of a character, which says nothing yet
}

func newScreen(env *Env, out io.Writer) *screen {
	return &screen{out: out, tty: isTerminal(out), live: takesEscapes(env, out)}
}

// Write writes text of anybody above the line.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.partial + string(p)
	n := len(text) - terminal.Partial(text)
	text, s.partial = text[:n], text[n:]
	if err := s.above(terminal.Text(text)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show writes text that is fit to be shown above the line.
func (s *screen) show(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.above(text)
}

// raw is where what w is given goes as it is: the bytes of a protocol, what a program says whose terminal this is,
// and what somebody has asked for.
func raw(w io.Writer) io.Writer {
	if s, ok := w.(*screen); ok {
		return s.out
	}
	return w
}

const erase = "\r\x1b[K"

// above writes text above the line. mu is held.
func (s *screen) above(text string) error {
	if text == "" {
		return nil
	}
	if s.line != "" && !s.open {
		if _, err := io.WriteString(s.out, erase); err != nil {
			return err
		}
	}
	n, err := io.WriteString(s.out, text)
	if n > 0 {
		s.open = text[n-1] != '\n'
	}
	if err == nil && s.line != "" && !s.open {
		_, err = io.WriteString(s.out, string(s.line))
	}
	return err
}

// draw shows line in place of the one before; an empty one takes that away. What cannot be shown is
// not worth an error.
func (s *screen) draw(line painted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" && line == "" {
		return
	}
	s.line = s.clip(line)
	if !s.open {
		_, _ = io.WriteString(s.out, erase+string(s.line))
	}
}

// clip cuts what would wrap, as a wrapped line cannot be erased. It errs towards cutting: escape
// sequences count as text.
func (s *screen) clip(line painted) painted {
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
	plain := strings.NewReplacer("\x1b[2m", "", "\x1b[0m", "").Replace(string(line))
	return painted(plain[:min(len(plain), width-1)])
}
