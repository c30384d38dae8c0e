//go:build race

package mcpfunc

const raceEnabled = true
