//go:build e2e

package scale

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

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
