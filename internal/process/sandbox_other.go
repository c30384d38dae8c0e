//go:build !linux

package process

import "runtime"

// means are those that a system has for a sandbox.
type means struct{}

func sandboxMeans() means { return means{} }

func (s *Sandbox) faults(means) (faults []error) {
	not := func(key string) {
		faults = append(faults, &SandboxError{key, runtime.GOOS + " cannot enforce it", `set "required": false to serve without it here`})
	}
	if s.NoNetwork {
		not(SandboxNetwork)
	}
	if s.ReadOnly {
		not(SandboxWrite)
	}
	return faults
}
