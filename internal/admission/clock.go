package admission

import (
	"sync"
	"time"
)

// A Clock counts who is inside a tenant, and calls back when nobody has been for a while. Its methods
// with the suffix Locked are called with the tenant's mutex held.
type Clock struct {
	mu *sync.Mutex // the tenant's
	// checkLocked is called when nobody has been inside for some time, and returns after how much
	// more it is to be called again, zero for not at all, and what is to be done without the lock, if
	// anything is.
	checkLocked func(idle time.Duration) (again time.Duration, do func())

	inside int
	left   time.Time   // when inside became 0
	timer  *time.Timer // nil while it is not set
}

// NewClock returns the clock of a tenant with this mutex, in which nobody is. It must not be copied once it
// is in use.
func NewClock(mu *sync.Mutex, checkLocked func(idle time.Duration) (again time.Duration, do func())) Clock {
	return Clock{mu: mu, checkLocked: checkLocked}
}

// EnterLocked counts someone in.
func (c *Clock) EnterLocked() { c.inside++ }

// LeaveLocked counts someone out, and reports whether nobody is inside then.
func (c *Clock) LeaveLocked() bool {
	if c.inside--; c.inside > 0 {
		return false
	}
	c.left = time.Now()
	return true
}

// ArmLocked sets the timer, unless it is set or someone is inside.
func (c *Clock) ArmLocked(after time.Duration) {
	if c.timer == nil && c.inside == 0 {
		c.timer = time.AfterFunc(after, c.fire)
	}
}

// StopLocked takes the timer back. It may be firing.
func (c *Clock) StopLocked() {
	if c.timer != nil {
		c.timer.Stop()
	}
}

// InsideLocked is how many are inside.
func (c *Clock) InsideLocked() int { return c.inside }

// IdleLocked is since when nobody has been inside; ok is false if someone is.
func (c *Clock) IdleLocked() (since time.Time, ok bool) { return c.left, c.inside == 0 }

func (c *Clock) fire() {
	if do := c.due(); do != nil {
		do()
	}
}

// due calls checkLocked, and returns what is to be done.
func (c *Clock) due() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = nil
	if c.inside > 0 {
		return nil // who leaves arms it again
	}
	again, do := c.checkLocked(time.Since(c.left))
	if again > 0 {
		c.ArmLocked(again)
	}
	return do
}
