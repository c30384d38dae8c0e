package process

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// subreaper is what becomeSubreaper has done to the process.
var subreaper struct {
	mu      sync.Mutex
	holders int
	before  uintptr // what the process was before the first of them
}

// becomeSubreaper makes orphans below this process its children (prctl(2), PR_SET_CHILD_SUBREAPER) until
// giveUp was called as often as becomeSubreaper. Without it they go to init.
func becomeSubreaper() (giveUp func(), err error) {
	r := &subreaper
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holders == 0 {
		var before int32 // the kernel writes an int
		if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&before)), 0, 0, 0); err != nil {
			return nil, err
		}
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, err
		}
		r.before = uintptr(before)
	}
	r.holders++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.holders--; r.holders == 0 {
			unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, r.before, 0, 0, 0)
		}
	}, nil
}
