//go:build e2e

package scale

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// An instance that is killed takes with it what it is doing at that moment, and no more: a client that
// repeats such a call finds the session where it was.
func TestKillCostsWhatIsInFlightAndNoSession(t *testing.T) {
	app := withKeys(newKey())
	s := newStage(t, 3, map[string]server{"fast": {"command": fastServer(t), "stateless": true}}, app)
	j := job{"fast", []step{{"echo", `{"text": "from afar"}`, "from afar"}}, true}
	const sessions = 6
	calls, kills := at(20_000, 2_000), at(40, 8)

	over := make(chan struct{})
	var killing sync.WaitGroup
	killing.Go(func() {
		for n := range kills {
			if !reached(s, calls*(n+1)/(kills+1), over) {
				t.Errorf("the calls were over after %d of %d kills", n, kills)
				return
			}
			s.kill(t, s.up()[rand.IntN(3)])
			s.add(t, app)
		}
	})
	all := loopGo(t, s.Endpoint("fast"), calls, sessions, j)
	close(over)
	killing.Wait()

	_, hit := s.tally()
	t.Logf("%d calls, %d kills: %d requests were in flight at one, %d calls were repeated, %d failed nevertheless, %d sessions begun",
		all.Calls, kills, hit, all.Repeated, all.Failed, all.Begun)
	if all.Repeated > hit {
		t.Errorf("%d calls failed at first, and only %d were in flight at a kill:\n%s", all.Repeated, hit, strings.Join(all.Errors, "\n"))
	}
	if lost := all.Begun - sessions; all.Failed > 0 || lost > 0 {
		t.Errorf("%d calls failed although they were repeated, and %d sessions were lost:\n%s", all.Failed, lost, strings.Join(all.Errors, "\n"))
	}
}
