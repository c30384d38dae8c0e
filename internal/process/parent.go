package process

import (
	"os"
	"sync"
	"time"
)

// parent is the process that started this one. It is asked for early: once it has ended there is
// another one.
var parent = os.Getppid()

// parentPace is how often the parent is looked for where the system does not tell of its end.
const parentPace = 500 * time.Millisecond

// WatchParent returns a channel that is closed when the process that started this one has ended. A
// parent-death signal would not do: it comes when the thread ends that started us. stop must be called,
// and ends the watch.
func WatchParent() (ended <-chan struct{}, stop func()) {
	gone, done := make(chan struct{}), make(chan struct{})
	wait, abort := awaitParent()
	abort = sync.OnceFunc(abort)
	go func() {
		defer close(done)
		if wait() {
			close(gone)
		}
	}()
	return gone, func() { abort(); <-done }
}

// lookForParent waits until this process has another parent, which it reports, or until over is closed.
func lookForParent(over <-chan struct{}) bool {
	tick := time.NewTicker(parentPace)
	defer tick.Stop()
	for os.Getppid() == parent {
		select {
		case <-tick.C:
		case <-over:
			return false
		}
	}
	return true
}
