// Command server is the stdio MCP server of the benchmark: as fast as we can make one, so that what
// is measured is what stands in front of it.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/mcpfunc/mcpfunc/bench/internal/wire"
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != io.EOF {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// serve answers every line of in until it ends, each message with one Write.
func serve(in io.Reader, out io.Writer) error {
	var answerer wire.Answerer
	send := func(line []byte) error {
		_, err := out.Write(line)
		return err
	}
	lines := lines{in: in, buf: make([]byte, 64<<10)}
	for {
		line, err := lines.next()
		if err != nil {
			return err
		}
		if err := answerer.Answer(line, send); err != nil {
			return err
		}
	}
}

// lines splits what it reads into lines, however long.
type lines struct {
	in     io.Reader
	buf    []byte
	lo, hi int // buf[lo:hi] is read and not returned
}

// next returns the next line, valid until it is called again. What was searched for the line's end
// is not searched again.
func (l *lines) next() ([]byte, error) {
	searched := l.lo
	for {
		if i := bytes.IndexByte(l.buf[searched:l.hi], '\n'); i >= 0 {
			line := l.buf[l.lo : searched+i]
			l.lo = searched + i + 1
			return line, nil
		}
		searched = l.hi
		if l.hi == len(l.buf) {
			room := l.buf
			if l.hi-l.lo > len(l.buf)/2 {
				room = make([]byte, 2*len(l.buf))
			}
			searched -= l.lo
			l.hi = copy(room, l.buf[l.lo:l.hi])
			l.lo, l.buf = 0, room
		}
		n, err := l.in.Read(l.buf[l.hi:])
		l.hi += n
		if n == 0 && err != nil {
			return nil, err
		}
	}
}
