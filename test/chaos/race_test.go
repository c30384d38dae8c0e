//go:build chaos && race

package chaos

// raced says that the race detector watches, whose own memory grows with every thread and is never
// given back: what is resident says nothing then.
const raced = true
