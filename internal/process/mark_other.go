//go:build !linux

package process

// mark is what Linux needs to find what a child has started.
type mark struct{}
