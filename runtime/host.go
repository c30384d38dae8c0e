package mcpfunc

import (
	"strconv"
)

// bodySetting is the app setting for the maximum size of a body, in bytes, that the Functions host accepts.
const bodySetting = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"

// hostBodyLimit is the largest body in bytes that the host lets through, where the app settings say; zero
// where they do not.
func hostBodyLimit(getenv func(string) string) int64 {
	n, err := strconv.ParseInt(getenv(bodySetting), 10, 64)
	if err != nil {
		return 0
	}
	return max(0, n)
}

// hostBodyFactor is how many times its size the host needs for a body before a handler sees a byte of it: the front
// took 5.1 to 5.4 times that of 8 to 99 MiB, its temporary file included (bench/memory), and collects garbage late.
const hostBodyFactor = 6

// reserve is the memory in bytes that sessions cannot have: what the host takes for the largest body, on top of
// what it has at rest, which is used already when we measure what is left.
func (a *App) reserve() int64 {
	if !a.cfg.hosted {
		return 0
	}
	return hostBodyFactor * a.cfg.MaxRequestBytes
}
