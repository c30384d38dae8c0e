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
// is set, has the last word. The setting is the whole process's, so the last back puts it as it was before
// the first tune.
func tune() (back func()) {
	if os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	t := &tuned
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holders++; t.holders == 1 {
		t.before = runtime.GOMAXPROCS(0)
		runtime.GOMAXPROCS((t.before + 1) / 2)
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.holders--; t.holders == 0 {
			runtime.GOMAXPROCS(t.before)
		}
	}
}

// tuned is what tune has done to the process.
var tuned struct {
	mu      sync.Mutex
	holders int
	before  int // what GOMAXPROCS was before the first of them
}

// What returning memory costs. It takes a collection of the whole heap, so that a caller who comes
// every second would have us do little else when the heap is large: a hundred times as long as the last
// one took is waited before the next.
const (
	trimAfter = 500 * time.Millisecond // how long the app must be without calls before memory is returned, at least
	trimShare = 100                    // of what giving back took, until it is done again
	trimMost  = time.Minute            // of that: a machine that slept makes it look dear
)

// An idleTrimmer gives memory that calls have left behind back to the system when no calls come in for a while:
// the servers' processes share the instance with us, and the runtime alone would take minutes.
type idleTrimmer struct {
	free func() // giveBack

	mu      sync.Mutex
	calls   int         // since the clock was set
	clock   *time.Timer // nil while it is not set
	next    time.Time   // before which memory is not given back again
	ended   bool
	running sync.WaitGroup // work that the clock has begun
}

// giveBack collects the heap twice, since what is in pools outlives one collection: the buffers of
// connections that are closed, and those of messages.
func giveBack() {
	runtime.GC()
	debug.FreeOSMemory() // collects, too
}

// called says that a call has ended.
func (t *idleTrimmer) called() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	if t.clock == nil {
		t.setLocked()
	}
}

// setLocked sets the clock.
func (t *idleTrimmer) setLocked() {
	t.calls = 0
	if t.ended {
		return
	}
	t.running.Add(1)
	t.clock = time.AfterFunc(max(trimAfter, time.Until(t.next)), func() {
		defer t.running.Done()
		t.rest()
	})
}

// rest returns memory to the system if no call has come since the clock was set. If someone has, or does
// meanwhile, the clock is set again.
func (t *idleTrimmer) rest() {
	t.mu.Lock()
	quiet := t.calls == 0
	t.mu.Unlock()
	began := time.Now()
	if quiet {
		t.free()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if quiet {
		t.next = time.Now().Add(min(trimShare*time.Since(began), trimMost))
	}
	if t.clock = nil; t.calls > 0 {
		t.setLocked()
	}
}

// end stops the clock and waits for the work that it has begun. No memory is returned from then on.
func (t *idleTrimmer) end() {
	t.mu.Lock()
	t.ended = true
	if t.clock != nil && t.clock.Stop() {
		t.running.Done()
	}
	t.mu.Unlock()
	t.running.Wait()
}
