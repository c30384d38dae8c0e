package session

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

func TestTheIdlestSessionIsEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{max: 3})
		var all []*Session
		for i := range 3 {
			all = append(all, b.open(fmt.Sprint(i)))
		}
		for _, i := range []int{1, 0, 2} {
			all[i].Leave()
			time.Sleep(time.Second)
		}
		b.open("new").Leave()
		for i, want := range []bool{true, false, true} {
			if all[i].Alive() != want {
				t.Errorf("session %d alive: %v", i, !want)
			}
		}
	})
}

func TestASessionThatWorksIsEvictedAfterOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{max: 2})
		works, idle := b.open("works"), b.open("idle")
		m, err := message.Parse([]byte(tool(1, "sleep", `"ms":10000`)))
		if err != nil {
			t.Fatal(err)
		}
		r, err := works.Send(t.Context(), []*message.Message{m}, OnStream)
		if err != nil {
			t.Fatal(err)
		}
		r.Keep(nil) // the client will come back
		r.Leave()
		works.Leave()
		time.Sleep(time.Second)
		idle.Leave()
		b.open("new").Leave()
		if !works.Alive() || idle.Alive() {
			t.Errorf("the one that works is alive: %v, the other: %v", works.Alive(), idle.Alive())
		}
		time.Sleep(time.Second)
		b.open("newer")
		b.open("newest").Leave()     // someone has to go
		time.Sleep(10 * time.Second) // until the fake has slept
		if works.Alive() {
			t.Error("a session that works is kept for ever")
		}
	})
}
