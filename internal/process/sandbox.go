package process

import "fmt"

// A Sandbox is what a child may reach, as an owner asks for it. The zero value asks for nothing.
type Sandbox struct {
	// NoNetwork leaves the child no sockets but pairs of its own, and TCP connections to Ports.
	NoNetwork bool
	Ports     []uint16

	// ReadOnly keeps the child from changing files, but below the folders of Write and in a home and a folder
	// for temporary files of its own, which are there for as long as it is. Env returns the child's
	// environment with these two in it.
	ReadOnly bool
	Write    []string // absolute
	Env      func(home, temp string) []string

	// Report is told what the child tried that it may not, in builds for mcpfunc dev; nil for none. It is called from
	// other goroutines than Start's.
	Report func(Refusal)

	// Optional leaves out what the system cannot keep up.
	Optional bool
}

func (s *Sandbox) asks() bool { return s.NoNetwork || s.ReadOnly }

// A Refusal is something that a child tried and may not. What of it depends on names that change is as it was when it
// was looked at, so that a hostile child can have another said.
type Refusal struct {
	Key  string // SandboxNetwork or SandboxWrite
	What string // it tried
	Hint string // what would allow it
}

// The keys of a Sandbox, as its owner writes them.
const (
	SandboxNetwork = "network"
	SandboxWrite   = "write"
)

// A SandboxError is a wish that cannot be fulfilled.
type SandboxError struct {
	Key  string // SandboxNetwork or SandboxWrite
	Text string
	Hint string
}

func (e *SandboxError) Error() string { return fmt.Sprintf("sandbox.%s: %s", e.Key, e.Text) }

// Check returns a *SandboxError for each wish that the system cannot fulfil.
func (s *Sandbox) Check() []error { return s.faults(sandboxMeans()) }

// refused returns why a child of this sandbox cannot be started, nil if it can.
func (s *Sandbox) refused() error {
	if faults := s.Check(); len(faults) > 0 && !s.Optional {
		return faults[0]
	}
	return nil
}

// SandboxTier names the parts of a sandbox that this system can enforce. whole reports whether it can enforce all.
func SandboxTier() (text string, whole bool) {
	none, ports, write := Sandbox{NoNetwork: true}, Sandbox{NoNetwork: true, Ports: []uint16{1}}, Sandbox{ReadOnly: true}
	var can, cannot string
	for _, wish := range []struct {
		name string
		of   *Sandbox
	}{{`network "none"`, &none}, {"network ports", &ports}, {"write", &write}} {
		list := &can
		if len(wish.of.Check()) > 0 {
			list = &cannot
		}
		if *list != "" {
			*list += ", "
		}
		*list += wish.name
	}
	switch {
	case cannot == "":
		return can, true
	case can == "":
		return "none of " + cannot, false
	}
	return can + "; not " + cannot, false
}
