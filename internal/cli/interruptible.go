package cli

import (
	"context"
	"os"

	"golang.org/x/term"
)

// An interruptible asks by another Prompter, and gives a question up when ctx ends. A Ctrl-C that the
// terminal takes before the question has made it its own comes as a signal, and not as a key.
//
// What waits for the answer is left waiting: reading a terminal cannot be taken back. It ends with the
// process, which an interrupt ends.
type interruptible struct {
	Prompter
	ctx context.Context
}

func (p *interruptible) Input(question, offered string, check func(string) error) (string, error) {
	return unlessInterrupted(p.ctx, func() (string, error) { return p.Prompter.Input(question, offered, check) })
}

func (p *interruptible) Select(question string, options []string) (int, error) {
	return unlessInterrupted(p.ctx, func() (int, error) { return p.Prompter.Select(question, options) })
}

func (p *interruptible) Confirm(question string) (bool, error) {
	return unlessInterrupted(p.ctx, func() (bool, error) { return p.Prompter.Confirm(question) })
}

func unlessInterrupted[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	terminal := int(os.Stdin.Fd())
	before, _ := term.GetState(terminal) // nil if it is not a terminal
	answered := make(chan answer, 1)
	go func() {
		value, err := ask()
		answered <- answer{value, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		if before != nil {
			_ = term.Restore(terminal, before) // the question had taken echo and line editing away
		}
		var none T
		return none, errInterrupted
	}
}
