package session

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

func TestWatchHearsASessionAndItsProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := watched()
		b := newBench(t, limits{watch: hub})
		s := b.open("u")
		if _, err := b.call(s, tool(1, "echo", "")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.call(s, tool(2, "crash", "")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.call(s, tool(3, "echo", "")); err != nil {
			t.Fatal(err)
		}
		s.Leave()
		s.Close("the client is done")
		b.table.Close()
		hello := []string{"app event process started", "client request initialize", "server response initialize",
			"client notification notifications/initialized"}
		var want []string
		want = append(want, hello...)
		want = append(want, "client request tools/call", "server response tools/call", "client request tools/call",
			"app event process ended: the server ended: crashed")
		want = append(want, hello...)
		want = append(want, "client request tools/call", "server response tools/call",
			"app event ended: the client is done", "app event process ended: the server exited by itself")
		if diff := cmp.Diff(want, heard(t, hub, 1)); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
	})
}
