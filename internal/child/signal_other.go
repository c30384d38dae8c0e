//go:build !unix

package child

import "github.com/mcpfunc/mcpfunc/internal/process"

func signalOf(ee process.Exit) string { return ee.Error() }
