package pool

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
)

func TestWatchHearsAPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := mcptest.NewWatcher(nil)
		b := newBench(t, 0, heard.Hub)
		c, leave, err := b.send("u", modernTool("echo", "hello", 0))
		if err != nil {
			t.Fatal(err)
		}
		next(c)
		leave()
		b.pools.Close()
		got := heard.Lines(0)
		want := []string{"process started", "client request server/discover", "server response server/discover",
			"client request tools/call", "server response tools/call"}
		if diff := cmp.Diff(want, got[:min(len(got), len(want))]); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		end := strings.Join(got[len(got)-2:], ", ")
		if !heard.Pool(0) || !strings.Contains(end, "process ended: ") || !strings.Contains(end, ", ended: ") {
			t.Errorf("a pool's: %v, at the end %q", heard.Pool(0), end)
		}
	})
}
