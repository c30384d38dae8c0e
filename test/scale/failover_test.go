//go:build e2e

package scale

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// A Redis that was away for so long that reports of all instances have expired, and comes back with its data, makes no
// owner look dead: as it comes back, an instance may reach it before the owner does.
func TestSessionsOutliveARedisThatKeepsItsData(t *testing.T) {
	redis := e2etest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	s := newStage(t, 4, map[string]server{
		"strict":  stateful(t),
		"lenient": stateful(t).with(server{"sessions": map[string]any{"on_lost": "resurrect"}}),
	}, sharedBy(redis))
	sessions := map[string]*tally{}
	for _, name := range []string{"strict", "lenient"} {
		sessions[name] = &tally{id: s.up()[0].at(name).open(t)}
	}
	for range at(5, 2) {
		for name, c := range sessions {
			for _, i := range s.up() {
				if !c.next(t, i.at(name)) {
					t.Fatal("a call fails")
				}
			}
		}
		alive := func() int { return len(keysOf(t, redis, "mcpfunc:alive:*")) }
		redis.Stop()
		stopped := time.Now()
		e2etest.Eventually(time.Minute, func() bool { return time.Since(stopped) > 6*time.Second })
		redis.Start(t)
		t.Logf("%d of 4 instances are alive to a Redis that has just come back", alive())
		for answered := map[int]bool{}; len(answered) < 4; {
			for n, i := range s.up() {
				if sessions["strict"].next(t, i.at("strict")) && sessions["lenient"].next(t, i.at("lenient")) {
					answered[n] = true
				}
			}
		}
	}
	if n := len(s.processes(t)); n != 2 {
		t.Errorf("two sessions have %d processes", n)
	}
}

// A replica that becomes the server without the last writes costs the call that was in them, which is answered with the
// reason, and no session.
func TestFailoverThatLosesTheLastWrites(t *testing.T) {
	master, replica := e2etest.StartRedis(t), e2etest.StartRedis(t)
	key := newKey()
	wires := []*wire{newWire(t, master), newWire(t, master)}
	s := newStage(t, 0, map[string]server{"counter": stateful(t)}, nil)
	for _, w := range wires {
		s.add(t, slices.Concat(withKeys(key), w.settings()))
	}
	a, b := s.up()[0].at("counter"), s.up()[1].at("counter")
	host, port, _ := strings.Cut(master.Address, ":")
	becomes(t, replica, host, port)
	known := &tally{id: a.open(t)}
	for range 10 {
		if !known.next(t, b) {
			t.Fatal("a call fails")
		}
	}
	owners := func(r *e2etest.Redis, n int) {
		t.Helper()
		if !e2etest.Eventually(testlimit.Wait(), func() bool { return len(keysOf(t, r, "mcpfunc:owner:*")) == n }) {
			t.Fatalf("%d sessions are never known", n)
		}
	}
	owners(replica, 1)
	becomes(t, replica, "NO", "ONE")
	fresh := &tally{id: a.open(t)}
	if !fresh.next(t, b) {
		t.Fatal("a call fails")
	}
	wires[0].lead(replica)
	owners(replica, 2)
	sent := s.up()[1].metrics(t).Forwarded
	lost := make(chan bool, 1)
	go func() { lost <- known.next(t, b) }()
	if !e2etest.Eventually(testlimit.Wait(), func() bool { return s.up()[1].metrics(t).Forwarded > sent }) {
		t.Fatal("the call is not forwarded")
	}
	wires[1].lead(replica)
	if <-lost {
		t.Error("a call that was lost is answered")
	}
	for _, c := range []*tally{known, fresh} {
		if !e2etest.Eventually(testlimit.Wait(), func() bool { return c.next(t, b) }) {
			t.Fatal("a session is not reached any more")
		}
		if !c.next(t, a) {
			t.Error("a call fails where its session is")
		}
	}
	if n := len(s.processes(t)); n != 2 {
		t.Errorf("two sessions have %d processes", n)
	}
}

// An owner that does not reach Redis for a moment, in which nobody considers it dead, gives up the calls that it answers
// for others. They have had their effect, and are not made again.
func TestCallThatTheOwnerGivesUpIsNotMadeAgain(t *testing.T) {
	redis := e2etest.StartRedis(t)
	key := newKey()
	w := newWire(t, redis)
	s := newStage(t, 1, map[string]server{"counter": stateful(t)}, slices.Concat(withKeys(key), w.settings()))
	s.add(t, slices.Concat(sharedBy(redis), withKeys(key)))
	owner, other := s.up()[0], s.up()[1]
	id := owner.at("counter").open(t)
	for n := range at(5, 2) {
		before := owner.metrics(t).Answered
		answered := make(chan reply, 1)
		go func() {
			answered <- other.at("counter").send(t, http.MethodPost, id, call(7, "next", `{"ms": 6000}`))
		}()
		if !e2etest.Eventually(testlimit.Wait(), func() bool { return owner.metrics(t).Answered > before }) {
			t.Fatal("the call does not reach the owner")
		}
		lost := strings.Count(s.output.String(), "cannot reach Redis: calls")
		w.set(true)
		if !e2etest.Eventually(testlimit.Wait(), func() bool { return strings.Count(s.output.String(), "cannot reach Redis: calls") > lost }) {
			t.Fatal("the owner does not notice")
		}
		w.set(false)
		if got := <-answered; !strings.Contains(got.body, `"reason":"instance_lost"`) {
			t.Errorf("the call that was given up: %+v", got)
		}
		want := fmt.Sprintf("call %d.", n*2+2)
		var got reply
		e2etest.Eventually(testlimit.Wait(), func() bool {
			got = other.at("counter").send(t, http.MethodPost, id, call(8, "next", `{}`))
			return !strings.Contains(got.body, `"retryable":true`)
		})
		if !strings.Contains(got.body, want) {
			t.Errorf("the next call: %+v, want %s", got, want)
		}
	}
}

func keysOf(t *testing.T, r *e2etest.Redis, pattern string) []string {
	t.Helper()
	c := redis.NewClient(optionsOf(t, r))
	defer c.Close()
	return c.Keys(t.Context(), pattern).Val()
}

// becomes makes r a replica, or with NO ONE a server of its own.
func becomes(t *testing.T, r *e2etest.Redis, host, port string) {
	t.Helper()
	c := redis.NewClient(optionsOf(t, r))
	defer c.Close()
	if err := c.Do(t.Context(), "REPLICAOF", host, port).Err(); err != nil {
		t.Fatal(err)
	}
}
