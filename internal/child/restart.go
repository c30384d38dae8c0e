package child

import (
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// RestartWindow is how long a death counts.
	RestartWindow = 10 * time.Minute

	exhaustedPause = time.Minute // before a start beyond the budget
)

// A RestartBudget says whether, and when, a process may be started again after others died. It is not
// safe for concurrent use.
type RestartBudget struct {
	max       int
	deaths    []time.Time // within RestartWindow
	notBefore time.Time   // of the next start
}

// NewRestartBudget returns the budget of a session or a pool of spec.
func NewRestartBudget(spec *Spec) RestartBudget {
	if !spec.Restart {
		return RestartBudget{}
	}
	return RestartBudget{max: spec.MaxRestarts}
}

// Left is how many more times a process may die and be started again.
func (b *RestartBudget) Left(now time.Time) int {
	for len(b.deaths) > 0 && now.Sub(b.deaths[0]) > RestartWindow {
		b.deaths = b.deaths[1:]
	}
	return max(0, b.max-len(b.deaths))
}

// Died takes a death from the budget. ok says that the process may be started again, after a pause, and
// left how many more times.
func (b *RestartBudget) Died(now time.Time) (pause time.Duration, left int, ok bool) {
	ok = b.Left(now) > 0
	b.deaths = append(b.deaths, now)
	if pause = exhaustedPause; ok {
		pause = backOff(len(b.deaths))
	}
	b.notBefore = now.Add(pause)
	return pause, b.Left(now), ok
}

// Wait says how long the next start has to wait because of those that died, or fails with a *Failure if
// that is too long for a caller.
func (b *RestartBudget) Wait(now time.Time) (time.Duration, error) {
	b.Left(now)
	pause := max(0, b.notBefore.Sub(now))
	if len(b.deaths) <= b.max || pause == 0 {
		return pause, nil
	}
	return 0, &Failure{
		Text: fmt.Sprintf("the server died %d times within %v and restarts in %v",
			len(b.deaths), RestartWindow, pause.Round(time.Second)),
		Reason: ReasonExited, Retryable: true,
	}
}

// Untouched reports whether there is nothing to remember.
func (b *RestartBudget) Untouched(now time.Time) bool {
	b.Left(now)
	return len(b.deaths) == 0
}

// backOff is the pause before the n-th restart within the window: 0.1 s, doubled each time up to
// 10 s, and up to a fifth more, so that processes that died together do not start together.
func backOff(n int) time.Duration {
	d := min(100*time.Millisecond<<min(n-1, 10), 10*time.Second)
	return d + rand.N(d/5)
}
