package broker

import "time"

// The share of tokens that a process has: SDKs keep a token until it expires, but not every server
// keeps its SDK's credential from one call to the next.
const (
	burst = 50
	rate  = 5 // a second
)

// A pace is a token bucket.
type pace struct {
	last time.Time
	left float64
}

func (p *pace) step(now time.Time) bool {
	p.left = min(burst, p.left+rate*max(0, now.Sub(p.last).Seconds()))
	p.last = now
	if p.left < 1 {
		return false
	}
	p.left--
	return true
}
