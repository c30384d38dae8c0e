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
	f   *os.File
	raw syscall.RawConn

	mu       sync.Mutex
	finished bool                  // who could write is dead, and the read deadline is not to be moved
	deadline time.Time             // of reads, which may come before a read is to give up; zero for none
	full     func(fd uintptr) bool // told when the pipe is found full, until it reports true; nil for none

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
	p := &pipe{f: f, raw: raw, full: full}
	p.try = p.attempt
	return p
}

// finish says that the child is gone: what is in the pipe is still read, and then it has ended. A
// reader that waits is woken.
func (p *pipe) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.finished {
		p.finished = true
		p.f.SetReadDeadline(time.Unix(1, 0))
	}
}

// wakeBy makes a read wake no later than at a time, which is zero for one that waits as long as it takes. It reports
// false once the child is gone.
func (p *pipe) wakeBy(t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finished {
		return false
	}
	p.deadline = t
	p.f.SetReadDeadline(t)
	return true
}

// ReadPiece implements framing.PieceReader.
func (p *pipe) ReadPiece() (*bufpool.Piece, int, error) {
	n, err := p.read(nil, time.Time{})
	return p.taken(), n, err
}

// ReadPieceWithin implements framing.TimedReader. A large message is read by it, piece by piece: so a deadline that
// was set stays, and is moved when it comes and the read is not to give up yet.
func (p *pipe) ReadPieceWithin(d time.Duration) (piece *bufpool.Piece, n int, err error, ok bool) {
	if d <= 0 {
		p.buf, p.n = nil, 0
		err := p.raw.Control(func(fd uintptr) { p.attempt(fd) })
		if err != nil || p.n == 0 {
			return nil, 0, nil, false // what the end is, ReadPiece says
		}
		return p.taken(), p.n, nil, true
	}
	until := time.Now().Add(d)
	if p.deadline.IsZero() || until.Before(p.deadline) {
		p.wakeBy(until)
	}
	n, err = p.read(nil, until)
	if err == os.ErrDeadlineExceeded {
		return nil, 0, nil, false
	}
	return p.taken(), n, err, true
}

// taken returns the piece that was read into, which is the caller's.
func (p *pipe) taken() (piece *bufpool.Piece) {
	piece, p.piece = p.piece, nil
	return piece
}

// Read implements io.Reader.
func (p *pipe) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return p.read(b, time.Time{})
}

// read reads into buf, or into a piece that it takes for it. It holds no piece while it waits, and gives up with
// os.ErrDeadlineExceeded at until if that is not zero. At the end it closes the file.
func (p *pipe) read(buf []byte, until time.Time) (int, error) {
	p.buf = buf
	defer func() { p.buf = nil }()
	wait := p.raw.Read(p.try)
	for errors.Is(wait, os.ErrDeadlineExceeded) {
		if !until.IsZero() && !time.Now().Before(until) && p.wakeBy(time.Time{}) {
			return 0, os.ErrDeadlineExceeded
		}
		if p.wakeBy(until) {
			wait = p.raw.Read(p.try)
			continue
		}
		wait = p.raw.Control(func(fd uintptr) {
			if !p.attempt(fd) {
				p.err = nil // nothing is left, and no writer remains
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

// ReadPieceWithin implements framing.TimedReader.
func (c *Child) ReadPieceWithin(d time.Duration) (*bufpool.Piece, int, error, bool) {
	return c.stdout.ReadPieceWithin(d)
}
