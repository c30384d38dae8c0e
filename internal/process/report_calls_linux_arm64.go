//go:build mcpfunc_devpage

package process

// legacyNames are of calls that this architecture does not have.
var legacyNames map[int32][]named
