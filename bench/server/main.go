// Command server is the stdio MCP server of the benchmark: as fast as we can make one, so that what
// is measured is what is in front of it.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"syscall"
	"time"
	"unsafe"

	"github.com/mcpfunc/mcpfunc/bench/internal/wire"
)

func main() {
	// What there is to collect is nothing: buffers are used again. A collector would have to wait for
	// a read of a pipe.
	debug.SetGCPercent(-1)
	if err := wait(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(2)
	}
	if err := serve(pipe(0), os.Stdout); err != io.EOF {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// wait takes the time that a server needs to start, if one is given: Node's and Python's do.
func wait(args []string) error {
	if len(args) == 0 {
		return nil
	}
	d, err := time.ParseDuration(args[0])
	time.Sleep(d)
	return err
}

// A pipe is a file descriptor that is read without telling the scheduler. There is one goroutine, so
// that nobody else could run meanwhile; and what the scheduler does about a thread that waits in the
// kernel (wake its monitor, take the processor away, give it back) is two more thread switches and half
// of the processor time of a call, which would be held against who sent it.
type pipe uintptr

func (p pipe) Read(b []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(p), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		default:
			return int(n), nil
		}
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
