package session

import (
	"testing"
	"testing/synctest"

	"github.com/mcpfunc/mcpfunc/internal/calls"
)

// A slowObserver takes as long to hear of the end of a call as a log whose disk is slow.
type slowObserver struct{ heard, goOn chan struct{} }

func (o slowObserver) Begin(*calls.Call) {}

func (o slowObserver) End(*calls.Call, calls.Outcome) {
	close(o.heard)
	<-o.goOn
}

// An observer that is slow to hear of a call that was answered without a process delays neither the start of the
// process nor other sessions.
func TestSlowObserverDelaysNoStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.knowing(knownTools, false)
		s := b.begin("u", initializeNone)
		defer s.Leave()
		slow := slowObserver{make(chan struct{}), make(chan struct{})}
		listed := make(chan error, 1)
		go func() {
			_, err := b.call(s, askTools, calls.Begin(slow, &calls.Call{Method: "tools/list"}))
			listed <- err
		}()
		<-slow.heard
		b.says(s, tool(3, "echo", `"text":"hello"`), "hello")
		other := b.begin("v", initializeNone)
		defer other.Leave()
		b.says(other, tool(4, "echo", `"text":"hello"`), "hello")
		close(slow.goOn)
		if err := <-listed; err != nil {
			t.Errorf("the list: %v", err)
		}
	})
}
