package session

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
)

func TestWatchHearsASessionAndItsProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := mcptest.NewWatcher(nil)
		b := newBench(t, limits{watch: heard.Hub})
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
		hello := []string{"process started", "client request initialize", "server response initialize",
			"client notification notifications/initialized"}
		var want []string
		want = append(want, hello...)
		want = append(want, "client request tools/call", "server response tools/call", "client request tools/call",
			"process ended: the server ended: crashed")
		want = append(want, hello...)
		want = append(want, "client request tools/call", "server response tools/call",
			"ended: the client is done", "process ended: the server exited by itself")
		if diff := cmp.Diff(want, heard.Lines(0)); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
	})
}
