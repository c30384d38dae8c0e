package child

import (
	"cmp"
	"context"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A Spec says how the processes of one server are run. It is not changed once it is in use.
type Spec struct {
	Name    string
	Framing framing.Mode
	// Launch starts a process for caller, the value that Start was given, or nil without a caller yet.
	Launch func(ctx context.Context, caller any) (process.Process, error)
	// Runner is a key of what is to run if a first start may take long, because a package runner
	// downloads it then; otherwise empty.
	Runner string
	// Identity is of what is run, with its environment: what was found out about a server is remembered
	// by it; empty for Name.
	Identity string

	MaxMessage   int64         // bytes of one message of the process
	StartTimeout time.Duration // to the first answer
	CallTimeout  time.Duration // of one request; zero for none
	Grace        time.Duration // per rung of the ladder
	Restart      bool
	MaxRestarts  int // within RestartWindow
	Prewarm      int // processes started ahead
	MostPrewarm  int // to which that rises while many are taken; no more than Prewarm: it does not rise
	// Inject adds the context of a trace to requests that name none.
	Inject bool
	// Answered, if it is set, hears of a process's first message, and how long that took.
	Answered func(caller any, took time.Duration)
}

// ID is what findings about the server are remembered by.
func (s *Spec) ID() string { return cmp.Or(s.Identity, s.Name) }
