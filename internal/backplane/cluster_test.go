//go:build e2e && mcpfunc_redis_cluster

package backplane

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// All that instances do together works where keys are on different servers.
func TestInstancesShareACluster(t *testing.T) {
	t.Parallel()
	cluster, keys := startCluster(t), ticket.RandomKeys()
	cluster.URL += "?cluster=true"
	a, b := cluster.member(t, keys, echo), cluster.member(t, keys, echo)
	for _, name := range []string{"one", "two", "three", "four", "five", "six"} {
		release := a.own(t, name, nil)
		body := strings.Repeat(name, pieceSize)
		if w, err := b.pass(t.Context(), t, name, body); err != nil || w.Body.String() != body {
			t.Fatalf("%s: %v", name, err)
		}
		if _, elsewhere, err := b.Claim(t.Context(), name, nil); elsewhere == "" || err != nil {
			t.Errorf("%s is claimed twice: %v", name, err)
		}
		release()
		eventually(t, name+" is given back", func() bool {
			b.Forget(name)
			return b.ownerOf(t, name) == ""
		})
	}
	if err := a.Minted(t.Context(), "state", time.Minute); err != nil {
		t.Fatal(err)
	}
	owner, _, err := b.Minter(t.Context(), "state")
	if err != nil || owner == "" {
		t.Fatalf("%q, %v", owner, err)
	}
	w := httptest.NewRecorder()
	if err := b.Forward(t.Context(), w, httptest.NewRequest("POST", "/", nil), Target{Owner: owner}, strings.NewReader("x"), false); err != nil || w.Body.String() != "x" {
		t.Errorf("%v, %q", err, w.Body)
	}

	one, other := cluster.instance(t, "mcpf-1"), cluster.instance(t, "mcpf-1", "mcpf-2")
	eventually(t, "a revocation is heard of", func() bool {
		revoke(t, one, "mcpf-1", time.Now().Add(time.Hour))
		return len(other.ids()) == 1
	})
	for _, log := range []string{"x", "y", "z"} {
		write(t, one, time.Minute, put(log, 0, 0), put(log, 1, 1))
		if got, live := read(t, other, log, 0); len(got) != 1 || !live {
			t.Errorf("log %s: %v, live %t", log, got, live)
		}
	}
	write(t, one, 0, eventlog.Op{Do: eventlog.Drop, Log: "x"})
	if _, live := read(t, other, "y", 1); live {
		t.Error("the writer has ended and lives")
	}
}
