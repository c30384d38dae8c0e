// Package hostemu is the Azure Functions host as far as a custom handler can see it: it reads
// host.json and the function.json files, starts the handler with the host's environment on a free
// loopback port, waits until it answers, and passes requests on by the host's rules.
//
// It is what `mcpfunc dev` runs and what the end-to-end tests put in front of a built project. Where
// the real host is awkward (a held response head, a limit on restarts, SIGKILL without a warning) so
// is this one, because a handler that works here must work there.
//
// What it leaves out: scale-out, Easy Auth, bindings other than HTTP and timer, WebSockets, most of the
// admin API, restarts when a file changes (see Host.Restart), the lowest rates at which a client may
// send and read.
package hostemu

import (
	"io"
	"net"
	"time"
)

// HostVersion is what the handler reads in X-Azure-Functions-HostVersion.
const HostVersion = "4.1052.200.0"

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
	FunctionTimeout time.Duration // zero means what host.json says, else 30 min; negative none

	// FrontIdleTimeout cuts a client's connection on which no byte moved for so long, as the load
	// balancer in front of Azure does after 230 s. Zero means no limit, as there is no balancer locally.
	FrontIdleTimeout time.Duration

	// Public is how clients know the host, such as "https://app.example.net", when something in front of
	// it ends TLS. The handler is told of it as on Azure. Empty means as each request says, by http.
	Public string

	// Local says that the host runs on a developer's machine, where it asks for no key: its own paths, below
	// /admin and /runtime, are then for requests that name this machine and that no page of another site sent.
	Local bool

	// TrustFront believes X-Forwarded-Proto and Disguised-Host of each request, by which the front end
	// of Azure says how the client knows the host. Without it anybody could claim anything.
	TrustFront bool

	Output io.Writer // the handler's stdout and stderr, a line at a time; nil discards

	// Lines takes the same lines with the level that the host logs them at, one at a time; nil discards.
	Lines func(Level, string)

	// Logf takes what the host itself has to say, from several goroutines; nil discards.
	Logf func(format string, args ...any)
}

// The host's own figures, from its source.
const (
	defaultIdle     = 240 * time.Second // DefaultHttpProxyService: ActivityTimeout
	defaultInit     = 30 * time.Second  // WorkerConstants
	defaultFunction = 30 * time.Minute  // plans other than Consumption
	defaultMaxBody  = 104_857_600       // bytes, before FUNCTIONS_REQUEST_BODY_SIZE_LIMIT
)

// pace holds the figures that nobody but a test has a reason to change.
type pace struct {
	probe      time.Duration // between two readiness probes
	wait       time.Duration // a request for a handler that is not ready: nominally (3+1) × 30 s
	kill       time.Duration // for a killed handler to be gone
	overlap    time.Duration // of the old handler and the new one at a restart of the host
	grace      time.Duration // after functionTimeout
	leave      time.Duration // for running calls to end at Shutdown
	drain      time.Duration // for the output of a dead handler whose children still hold its pipes
	retry      time.Duration // before the second attempt to reach the handler; doubles
	retryMax   time.Duration
	attempts   int           // to reach the handler, the first included
	crashes    int           // that stop the host
	forgetting time.Duration // a crash later than this after the one before starts a new count
}

func realPace() pace {
	return pace{
		probe:      25 * time.Millisecond,
		wait:       137 * time.Second,
		kill:       time.Second,
		overlap:    50 * time.Millisecond,
		grace:      2 * time.Second,
		leave:      30 * time.Second,
		drain:      100 * time.Millisecond,
		retry:      50 * time.Millisecond,
		retryMax:   250 * time.Millisecond,
		attempts:   10,
		crashes:    3,
		forgetting: 30 * time.Minute,
	}
}
