//go:build !amd64 && !arm64

package process

// There are no filters for other architectures.
var childFilter, sandboxFilter, networkFilter, noSocketsFilter, portsFilter, attributesFilter, attendedFilter Filter
