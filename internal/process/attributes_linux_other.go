//go:build linux && !amd64

package process

const sysChmod = -1 // there is none
