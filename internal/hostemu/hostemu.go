// Package hostemu is the Azure Functions host as far as a custom handler can see it: it reads
// host.json and the function.json files, starts the handler with the host's environment on a free
// loopback port, waits until it answers, and passes requests on by the host's rules.
//
// It is what `mcpfunc dev` runs and what the end-to-end tests put in front of a built project.
package hostemu

import (
	"io"
	"net"
	"time"
)

// Options adjusts a Host. Only Dir is required.
type Options struct {
	Dir      string       // the project: host.json, its functions and the built handler
	Listener net.Listener // where clients connect; nil means 127.0.0.1:7071
	Env      []string     // the host's own environment as key=value; nil means os.Environ()

	// EnforceKeys makes authLevel count, as on Azure; the local host lets every caller in.
	EnforceKeys bool
	Keys        Keys // used with EnforceKeys

	IdleTimeout     time.Duration // no byte in either direction; zero 240 s, negative none
	InitTimeout     time.Duration // to the handler's first answer; zero 30 s or host.json's
	FunctionTimeout time.Duration // zero means what host.json says, else 30 min

	Output io.Writer // the handler's stdout and stderr, a line at a time; nil discards
	Logf   func(format string, args ...any)
}

// Keys are the access keys that EnforceKeys asks for, in x-functions-key or ?code=.
type Keys struct {
	Master   string
	Host     map[string]string            // any function
	Function map[string]map[string]string // by function name
}
