//go:build !unix

package process

import (
	"os"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
)

// A pipe is our end of a child's stdout or stderr. Where pipes cannot be polled it ends when the
// last process that holds the other end does, which the job object sees to.
type pipe struct{ f *os.File }

func newPipe(f *os.File, _ func(fd uintptr) bool) *pipe { return &pipe{f} }

func (p *pipe) finish() {}

func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.f.Read(b)
	if err != nil {
		p.f.Close()
	}
	return n, err
}

// ReadPiece implements framing.PieceReader.
func (p *pipe) ReadPiece() (*bufpool.Piece, int, error) {
	piece := bufpool.Get()
	n, err := p.Read(piece[:])
	return piece, n, err
}
