//go:build !amd64 && !arm64

package process

// There are no filters where nobody has assembled them.
var childFilter, sandboxFilter, networkFilter, noSocketsFilter, portsFilter, attributesFilter, attendedFilter Filter
