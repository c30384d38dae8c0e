package mcpfunc

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// tune fits Go's scheduler to what a handler does: it passes on, and what it passes on to runs on the
// same machine and needs as much. With half of the processors, rounded up, a call wakes fewer threads
// of ours that only look for work: measured on two, a third less processor time for one call at a time
// and for 64 sessions, a tenth less for 8 with 4 in flight. The environment variable GOMAXPROCS, if it
// is set, has the last word.
func tune() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS((runtime.GOMAXPROCS(0) + 1) / 2)
	}
}

// lullAfter is how long nobody calls before memory is given back.
const lullAfter = 500 * time.Millisecond

// A lull gives memory that calls have left behind back to the system when there are none for a while:
// the servers' processes share the instance with us, and the runtime alone would take minutes.
type lull struct {
	mu    sync.Mutex
	calls int // since the clock was set
	set   bool
}

// called says that a call has ended.
func (l *lull) called() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if !l.set {
		l.set, l.calls = true, 0
		time.AfterFunc(lullAfter, l.look)
	}
}

// look gives memory back if nobody has called since the clock was set, and else sets it again.
func (l *lull) look() {
	l.mu.Lock()
	busy := l.calls > 0
	l.calls = 0
	l.set = busy
	l.mu.Unlock()
	if busy {
		time.AfterFunc(lullAfter, l.look)
		return
	}
	debug.FreeOSMemory()
}
