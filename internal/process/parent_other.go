//go:build !linux

package process

// awaitParent asks again and again. Where a process keeps its parent's id after the parent's end, as on
// Windows, it waits until it is told to stop.
func awaitParent() (wait func() bool, abort func()) {
	over := make(chan struct{})
	return func() bool { return lookForParent(over) }, func() { close(over) }
}
