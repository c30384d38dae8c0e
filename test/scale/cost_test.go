//go:build e2e

package scale

import (
	"slices"
	"testing"
	"time"
)

// What it costs that a session is taken over, against opening one: both start a process and say the
// handshake to it, so that there should be little between them.
func TestCostOfASessionThatIsTakenOver(t *testing.T) {
	servers, jobs := cast(t)
	for name := range servers {
		servers[name] = servers[name].with(server{"stateless": true})
	}
	s := newStage(t, 2, servers, withKeys(newKey()))
	for _, j := range jobs {
		here, there := s.up()[0].at(j.Server), s.up()[1].at(j.Server)
		here.call(t, here.open(t)) // what is slow the first time only
		n := at(20, 5)
		if j.Server == "fast" {
			n = at(200, 40)
		}
		var opened, warm, taken []time.Duration
		for range n {
			var id string
			opened = append(opened, timed(func() { id = here.open(t); here.call(t, id) }))
			warm = append(warm, timed(func() { here.call(t, id) }))
			taken = append(taken, timed(func() { there.call(t, id) }))
			here.send(t, "DELETE", id, "")
			there.send(t, "DELETE", id, "")
		}
		t.Logf("%-10s initialize and first call %8s, first call on another instance %8s, a further call %8s (medians of %d)",
			j.Server, milliseconds(median(opened)), milliseconds(median(taken)), milliseconds(median(warm)), n)
	}
}

func timed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

// median is in seconds.
func median(all []time.Duration) float64 {
	slices.Sort(all)
	return all[len(all)/2].Seconds()
}
