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
// is set, has the last word. The setting is the whole process's, so back puts it as it was.
func tune() (back func()) {
	if os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	was := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS((was + 1) / 2)
	return func() { runtime.GOMAXPROCS(was) }
}

// What trimming costs. To give memory back takes a collection of the whole heap, so that one who calls
// every second would have us do little else when the heap is large: a hundred times as long as the last
// one took is waited before the next.
const (
	trimAfter     = 500 * time.Millisecond // how long nobody calls before memory is given back, at least
	trimShare     = 100                    // of what giving back took, until it is done again
	trimPauseMost = time.Minute            // of that: a machine that slept makes it look dear
)

// An idleTrimmer gives memory that calls have left behind back to the system when there are none for a while:
// the servers' processes share the instance with us, and the runtime alone would take minutes.
type idleTrimmer struct {
	free func() // giveBack

	mu      sync.Mutex
	calls   int         // since the clock was set
	clock   *time.Timer // nil while it is not set
	next    time.Time   // before which memory is not given back again
	ended   bool
	running sync.WaitGroup // what the clock has begun
}

// giveBack collects the heap twice, since what is in pools outlives one collection: the buffers of
// connections that are closed, and those of messages.
func giveBack() {
	runtime.GC()
	debug.FreeOSMemory() // collects, too
}

// called says that a call has ended.
func (l *idleTrimmer) called() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if l.clock == nil {
		l.armLocked()
	}
}

// armLocked sets the clock.
func (l *idleTrimmer) armLocked() {
	l.calls = 0
	if l.ended {
		return
	}
	l.running.Add(1)
	l.clock = time.AfterFunc(max(trimAfter, time.Until(l.next)), func() {
		defer l.running.Done()
		l.trim()
	})
}

// trim gives memory back if nobody has called since the clock was set. If somebody has, or does
// meanwhile, the clock is set again.
func (l *idleTrimmer) trim() {
	l.mu.Lock()
	quiet := l.calls == 0
	l.mu.Unlock()
	began := time.Now()
	if quiet {
		l.free()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if quiet {
		l.next = time.Now().Add(min(trimShare*time.Since(began), trimPauseMost))
	}
	if l.clock = nil; l.calls > 0 {
		l.armLocked()
	}
}

// end stops the clock and waits for what it has begun. Nothing is given back from then on.
func (l *idleTrimmer) end() {
	l.mu.Lock()
	l.ended = true
	if l.clock != nil && l.clock.Stop() {
		l.running.Done()
	}
	l.mu.Unlock()
	l.running.Wait()
}
