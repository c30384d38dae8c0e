//go:build e2e

package scale

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const sessionsPerClient = 2

// slowStart is how long a server may take to start, in seconds: several do at once, on a machine that may be busy. Clients
// wait as long for a call.
const slowStart = 300

// what there is to call: the names of the servers are the tests'.
func cast(t *testing.T) (servers map[string]server, jobs []job) {
	return map[string]server{
			"everything": {"command": "npx", "args": []string{"-y", everything(t)}, "timeout_seconds": slowStart},
			"python":     {"command": python, "args": []string{pythonServer(t)}, "timeout_seconds": slowStart},
			"fast":       {"command": fastServer(t)},
		}, []job{
			{Server: "everything", Steps: []step{{"echo", `{"message": "from afar"}`, "Echo: from afar"}}},
			{Server: "python", Steps: []step{{"echo", `{"message": "from afar"}`, "Echo: from afar"}}},
			{Server: "fast", Steps: []step{{"echo", `{"text": "from afar"}`, "from afar"}}},
		}
}

// Three instances serve sessions that none of them keeps; instances end and others begin, and the key
// is replaced on the way. No client notices, where a server is said to be stateless.
func TestClientsFinishWhateverInstanceServesThem(t *testing.T) {
	servers, jobs := cast(t)
	for name := range servers {
		servers[name] = servers[name].with(server{"stateless": true})
	}
	oldKey, newKey := newKey(), newKey()
	s := newStage(t, 3, servers, withKeys(oldKey))
	all := play(t, s, jobs, at(10_000, 1_000), []act{
		{"", at(6, 2), withKeys(oldKey)},
		{"key added", 3, withKeys(oldKey, newKey)},
		{"", at(3, 1), withKeys(oldKey, newKey)},
		{"key in use", 3, withKeys(newKey, oldKey)},
		{"", at(6, 2), withKeys(newKey, oldKey)},
	})
	if all.Failed > 0 {
		t.Errorf("%d of %d calls failed, want none:\n%s", all.Failed, all.Calls, strings.Join(all.Errors, "\n"))
	}
	if want := len(jobs) * len(clients()) * sessionsPerClient; all.Begun != want {
		t.Errorf("%d sessions were begun, want %d", all.Begun, want)
	}
	if answers, hit := s.tally(); answers[http.StatusNotFound] > 0 || hit > 0 {
		t.Errorf("the front passed on %v and %d were hit by a kill", answers, hit)
	}
}

// The same with what every other bridge does: a session that is not here is 404. It shows that the
// stage is what it says, and what the difference is.
func TestClientsBeginAnewWithoutTravellingSessions(t *testing.T) {
	servers, jobs := cast(t)
	for name := range servers {
		servers[name] = servers[name].with(server{"sessions": map[string]any{"on_lost": "404"}})
	}
	key := newKey()
	s := newStage(t, 3, servers, withKeys(key))
	all := play(t, s, jobs[2:], at(600, 150), []act{{"", 2, withKeys(key)}})
	t.Logf("%d processes are left of sessions that nobody can end", len(s.processes(t)))
	if all.Failed == 0 {
		t.Error("no call failed, although no instance knows the sessions of another")
	}
}

// An act of a play: so many instances are replaced by others with these settings. With a name it is
// the oldest that go, so that three of them are all; else it is any.
type act struct {
	name     string
	replaced int
	app      settings
}

// play lets all clients do all jobs, and meanwhile replaces instances between calls.
func play(t *testing.T, s *stage, jobs []job, calls int, acts []act) (all outcome) {
	t.Helper()
	var mu sync.Mutex
	var playing sync.WaitGroup
	started := time.Now()
	share := (calls + len(jobs)*len(clients()) - 1) / (len(jobs) * len(clients()))
	for _, j := range jobs {
		for _, c := range clients() {
			playing.Go(func() {
				o := c.loop(t, s.Endpoint(j.Server), share, sessionsPerClient, j)
				t.Logf("%-10s on %-10s %5d calls, %4d failed, %4d sessions begun", c.name, j.Server, o.Calls, o.Failed, o.Begun)
				mu.Lock()
				defer mu.Unlock()
				all.add(o)
			})
		}
	}
	over := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() { change(t, s, calls, acts, over) })
	playing.Wait()
	close(over)
	changing.Wait()
	answers, hit := s.tally()
	t.Logf("%d calls in %.1f s, %d failed, %d sessions begun; POSTs by status %s; %d were hit by a kill",
		all.Calls, time.Since(started).Seconds(), all.Failed, all.Begun, fmt.Sprint(answers), hit)
	return all
}

// change replaces instances, spread over the calls.
func change(t *testing.T, s *stage, calls int, acts []act, over <-chan struct{}) {
	total, done := 0, 0
	for _, a := range acts {
		total += a.replaced
	}
	for _, a := range acts {
		for range a.replaced {
			done++
			if !reached(s, calls*done/(total+1), over) {
				t.Errorf("the calls were over after %d of %d instances were replaced", done-1, total)
				return
			}
			up := s.up()
			victim := up[0]
			if a.name == "" {
				victim = up[rand.IntN(len(up))]
			}
			if done%2 == 0 { // a deployment starts the new one first; a recycle does not
				s.add(t, a.app)
				s.drain(t, victim)
			} else {
				s.drain(t, victim)
				s.add(t, a.app)
			}
		}
		if a.name != "" {
			t.Logf("after %d POSTs: %s on every instance", posts(s), a.name)
		}
	}
}

// reached waits until the front has passed on so many answers, or all is over.
func reached(s *stage, n int, over <-chan struct{}) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for posts(s) < n {
		select {
		case <-tick.C:
		case <-over:
			return false
		}
	}
	return true
}

func posts(s *stage) (n int) {
	answers, _ := s.tally()
	for _, count := range answers {
		n += count
	}
	return n
}
