//go:build unix

package process

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// A pipe is our end of a child's stdout or stderr. One goroutine reads it.
type pipe struct {
	f    *os.File
	raw  syscall.RawConn
	gone chan struct{} // closed by finish: who could write is dead
	once sync.Once
}

func newPipe(f *os.File) *pipe {
	raw, err := f.SyscallConn()
	if err != nil {
		panic(err) // an open file has one
	}
	return &pipe{f: f, raw: raw, gone: make(chan struct{})}
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
func (p *pipe) ReadPiece() (*message.Piece, int, error) {
	var piece *message.Piece
	n, err := p.read(func() []byte {
		piece = message.NewPiece()
		return piece[:]
	}, func() {
		message.FreePiece(piece)
		piece = nil
	})
	return piece, n, err
}

// Read implements io.Reader.
func (p *pipe) Read(b []byte) (int, error) {
	return p.read(func() []byte { return b }, func() {})
}

// read reads into what take returns. Nothing is held while it waits: when there is nothing to read,
// drop is called, and take again later. At the end it closes the file.
func (p *pipe) read(take func() []byte, drop func()) (n int, err error) {
	try := func(fd uintptr) bool {
		buf := take()
		for {
			n, err = syscall.Read(int(fd), buf)
			if err != syscall.EINTR {
				break
			}
		}
		if n <= 0 {
			n = 0
			drop()
		}
		return err != syscall.EAGAIN
	}
	wait := p.raw.Read(try)
	if errors.Is(wait, os.ErrDeadlineExceeded) {
		<-p.gone
		wait = p.raw.Control(func(fd uintptr) {
			if !try(fd) {
				err = nil // nothing is left, and there is nobody to write more
			}
		})
	}
	switch {
	case wait != nil:
		return 0, io.EOF // closed
	case n > 0:
		return n, nil
	case err == nil:
		err = io.EOF
	}
	p.f.Close()
	return 0, err
}
