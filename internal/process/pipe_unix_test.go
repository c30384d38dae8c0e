//go:build unix

package process

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// A read that has given up loses nothing, and neither a deadline that is still set nor one that has come
// ends the reads after it.
func TestReadThatGivesUpLosesNothing(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	p := newPipe(r, nil)
	read := func(d time.Duration) (string, bool) {
		t.Helper()
		piece, n, err, ok := p.ReadPieceWithin(d)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			if piece != nil {
				t.Error("there is a piece, and nothing in it")
			}
			return "", false
		}
		defer bufpool.Put(piece)
		return string(piece[:n]), true
	}
	for _, d := range []time.Duration{0, time.Millisecond, 0, time.Millisecond} {
		if got, ok := read(d); ok {
			t.Fatalf("within %v came %q, and nothing was written", d, got)
		}
	}
	for _, d := range []time.Duration{0, testlimit.Wait(), 2 * testlimit.Wait(), testlimit.Wait()} {
		io.WriteString(w, "x")
		if got, ok := read(d); !ok || got != "x" {
			t.Fatalf("within %v came %q", d, got)
		}
	}
	// The deadline of the shortest is still set, and comes now, before it is asked for.
	p.wakeBy(time.Now().Add(time.Millisecond))
	late := make(chan struct{})
	time.AfterFunc(20*time.Millisecond, func() { io.WriteString(w, "y"); close(late) })
	b := make([]byte, 8)
	if n, err := p.Read(b); err != nil || string(b[:n]) != "y" {
		t.Fatalf("got %q, %v", b[:n], err)
	}
	<-late
	p.wakeBy(time.Now().Add(time.Millisecond))
	time.AfterFunc(20*time.Millisecond, func() { io.WriteString(w, "z") })
	if got, ok := read(testlimit.Wait()); !ok || got != "z" {
		t.Fatalf("got %q", got)
	}
	// Once who could write is dead, what is there is read, and then it has ended, though the pipe is open.
	io.WriteString(w, "last")
	p.finish()
	if got, ok := read(testlimit.Wait()); !ok || got != "last" {
		t.Errorf("got %q", got)
	}
	if _, _, err, ok := p.ReadPieceWithin(testlimit.Wait()); !ok || err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}
