//go:build linux && !amd64

package process

// This architecture does not have these calls.
const (
	sysChmod  = -1
	sysChown  = -2
	sysLchown = -3
)
