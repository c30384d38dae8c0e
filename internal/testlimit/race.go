//go:build race

package testlimit

// Race says that the race detector is on.
const Race = true
