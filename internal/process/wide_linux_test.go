package process

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// hurry kills c if the test has not come as far as done in time, so that nothing waits for ever.
func hurry(t *testing.T, c *Child) (done func()) {
	t.Helper()
	late := time.AfterFunc(testlimit.Wait(), func() { c.Kill() })
	return func() {
		if !late.Stop() {
			t.Error("it had to wait for the other end of its pipe")
		}
	}
}

func TestChildNeedNotWaitUntilALargeMessageIsRead(t *testing.T) {
	const size = 5 * usualRoom
	c := shell(t, open(t), fmt.Sprintf(`dd if=/dev/zero bs=%d count=1 2>/dev/null`, size))
	done := hurry(t, c)
	piece, n, err := c.ReadPiece()
	if n != usualRoom || err != nil {
		t.Fatalf("read %d bytes, %v; a full pipe has %d", n, err, usualRoom)
	}
	bufpool.Put(piece)
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	done()
	for read := n; read < size; read += n {
		if piece, n, err = c.ReadPiece(); err != nil {
			t.Fatalf("after %d bytes: %v", read, err)
		}
		bufpool.Put(piece)
	}
}

func TestWriterNeedNotWaitUntilALargeMessageIsRead(t *testing.T) {
	c := shell(t, open(t), `sleep 100`)
	done := hurry(t, c)
	for range 4 { // a usual pipe holds one
		if _, err := c.Write(make([]byte, usualRoom)); err != nil {
			t.Fatal(err)
		}
	}
	done()
}

func TestOnlyAFewPipesAreWide(t *testing.T) {
	s := Open(slog.New(slog.DiscardHandler))
	c, neighbour := shell(t, s, `sleep 100`), shell(t, s, `sleep 100`)
	for i := range maxWide {
		if !s.mayWiden(c) {
			t.Errorf("pipe %d may not be wide", i)
		}
	}
	if s.mayWiden(neighbour) {
		t.Error("one pipe more may be wide")
	}
	s.Close()
	if s.mayWiden(c) {
		t.Error("a pipe of a child that is gone may be wide")
	}
	if s.wide != 0 {
		t.Errorf("%d pipes are still counted when all children are gone", s.wide)
	}
}
