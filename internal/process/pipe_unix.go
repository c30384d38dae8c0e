//go:build unix

package process

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
)

// A pipe is our end of a child's stdout or stderr. One goroutine reads it.
type pipe struct {
	f    *os.File
	raw  syscall.RawConn
	gone chan struct{} // closed by finish: who could write is dead
	once sync.Once
	full func(fd uintptr) bool // told when the pipe is found full, until it reports true; nil for nobody

	// Of the reader: what a read is for, and what came of it. try is p.attempt, made once.
	buf   []byte         // to read into; nil for a piece
	piece *bufpool.Piece // that was read into
	n     int
	err   error
	try   func(fd uintptr) bool
}

func newPipe(f *os.File, full func(fd uintptr) bool) *pipe {
	raw, err := f.SyscallConn()
	if err != nil {
		panic(err) // an open file has one
	}
	p := &pipe{f: f, raw: raw, gone: make(chan struct{}), full: full}
	p.try = p.attempt
	return p
}

// finish says that the child is gone: what is in the pipe is still read, and then it has ended. A
// reader that waits is woken.
func (p *pipe) finish() {
	p.once.Do(func() {
		close(p.gone)
		p.f.SetReadDeadline(time.Unix(1, 0))
	})
}

// ReadPiece implements framing.PieceReader.
func (p *pipe) ReadPiece() (*bufpool.Piece, int, error) {
	n, err := p.read(nil)
	piece := p.piece
	p.piece = nil
	return piece, n, err
}

// TryPiece implements framing.TryReader.
func (p *pipe) TryPiece() (piece *bufpool.Piece, n int, ok bool) {
	p.buf, p.n = nil, 0
	err := p.raw.Read(func(fd uintptr) bool {
		p.attempt(fd)
		return true
	})
	if err != nil || p.n == 0 {
		return nil, 0, false // what the end is, ReadPiece says
	}
	piece, p.piece = p.piece, nil
	return piece, p.n, true
}

// Read implements io.Reader.
func (p *pipe) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return p.read(b)
}

// read reads into buf, or into a piece that it takes for it. It holds no piece while it waits. At the
// end it closes the file.
func (p *pipe) read(buf []byte) (int, error) {
	p.buf = buf
	defer func() { p.buf = nil }()
	wait := p.raw.Read(p.try)
	if errors.Is(wait, os.ErrDeadlineExceeded) {
		<-p.gone
		wait = p.raw.Control(func(fd uintptr) {
			if !p.attempt(fd) {
				p.err = nil // nothing is left, and there is nobody to write more
			}
		})
	}
	switch {
	case wait != nil:
		return 0, io.EOF // closed
	case p.n > 0:
		return p.n, nil
	case p.err == nil:
		p.err = io.EOF
	}
	p.f.Close()
	return 0, p.err
}

// attempt reads what there is. It reports false if there is nothing yet.
func (p *pipe) attempt(fd uintptr) bool {
	buf := p.buf
	if buf == nil {
		p.piece = bufpool.Get()
		buf = p.piece[:]
	}
	for {
		p.n, p.err = syscall.Read(int(fd), buf)
		if p.err != syscall.EINTR {
			break
		}
	}
	if p.n >= usualRoom && p.full != nil && p.full(fd) {
		p.full = nil
	}
	if p.n <= 0 {
		p.n = 0
		if p.piece != nil {
			bufpool.Put(p.piece)
			p.piece = nil
		}
	}
	return p.err != syscall.EAGAIN
}
