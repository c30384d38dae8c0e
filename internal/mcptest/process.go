// Package mcptest holds what tests share: processes in memory, HTTP in memory, a stdio server that follows
// instructions, and a check for leaks. Only tests import it.
//
// Everything in memory consists of channels and pipes, so that a test in a synctest bubble can see when nothing
// moves any more, and hours pass at once.
package mcptest

import (
	"errors"
	"io"
	"sync"
)

// A Process is a process in memory. It implements what runtime.Process and process.Process ask for.
type Process struct {
	In  *io.PipeReader // what was written to its stdin
	Out *io.PipeWriter // its stdout

	in   *io.PipeWriter
	out  *io.PipeReader
	once sync.Once
	gone chan struct{}
	err  error
}

// ErrKilled is what Wait returns after Kill.
var ErrKilled = errors.New("signal: killed")

// NewProcess returns a process that does nothing by itself.
func NewProcess() *Process {
	p := &Process{gone: make(chan struct{})}
	p.In, p.in = io.Pipe()
	p.out, p.Out = io.Pipe()
	return p
}

// Run returns a process that lives as long as serve does; its result is what Wait returns.
func Run(serve func(in io.Reader, out io.Writer) error) *Process {
	p := NewProcess()
	go func() { p.Exit(serve(p.In, p.Out)) }()
	return p
}

// Exit ends the process.
func (p *Process) Exit(err error) {
	p.once.Do(func() {
		p.err = err
		p.In.CloseWithError(io.ErrClosedPipe)
		p.Out.Close()
		close(p.gone)
	})
}

func (p *Process) Read(b []byte) (int, error)  { return p.out.Read(b) }
func (p *Process) Write(b []byte) (int, error) { return p.in.Write(b) }

// Close closes stdin. A process made by NewProcess does not mind.
func (p *Process) Close() error { return p.in.Close() }

// Kill ends the process.
func (p *Process) Kill() error {
	p.Exit(ErrKilled)
	return nil
}

// Wait returns once the process has ended.
func (p *Process) Wait() error {
	<-p.gone
	return p.err
}

// Gone is closed once the process has ended.
func (p *Process) Gone() <-chan struct{} { return p.gone }
