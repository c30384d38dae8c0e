//go:build linux && !amd64

package process

// There are none of these.
const (
	sysChmod  = -1
	sysChown  = -2
	sysLchown = -3
)
