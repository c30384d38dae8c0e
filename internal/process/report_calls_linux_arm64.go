//go:build mcpfunc_devpage

package process

// legacyNames are of calls that this architecture does not have.
func legacyNames(*notification) []named { return nil }
