//go:build !unix

package authenv

// accessible is true where there is no Functions app with a home that cannot be written to.
func accessible(string) bool { return true }
