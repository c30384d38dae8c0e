package pool

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/watch"
)

func watched() *watch.Hub { return watch.New(watch.Options{Redact: plain, Keep: true}) }

// heard is a line a message that was heard of a session.
func heard(t *testing.T, hub *watch.Hub, session uint64) (lines []string) {
	t.Helper()
	tail, ok := hub.Tail(session, 0, 0)
	if !ok {
		t.Fatalf("nothing was heard of session %d", session)
	}
	for _, m := range tail.Messages {
		if m.From == "app" {
			m.Method = m.Body
		}
		lines = append(lines, m.From+" "+m.Kind+" "+m.Method)
	}
	return lines
}

func TestWatchHearsAPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := watched()
		b := newBench(t, 0, hub)
		c, leave, err := b.send("u", modernTool("echo", "hello", 0))
		if err != nil {
			t.Fatal(err)
		}
		next(c)
		leave()
		b.pools.Close()
		got := heard(t, hub, 1)
		want := []string{"app event process started", "client request server/discover", "server response server/discover",
			"client request tools/call", "server response tools/call"}
		if diff := cmp.Diff(want, got[:min(len(got), len(want))]); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		if about := hub.View().Sessions[0]; !about.Pool || about.Protocol != Stateless || about.Ended == nil || about.PID != 0 {
			t.Errorf("the pool's process: %+v", about)
		}
	})
}
