//go:build e2e

package scale

import (
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// Ids that were made up, changed, sealed by another app or for somebody else are all as unknown as
// one that never was, on every instance, and start nothing.
func TestForgedIDsStartNothing(t *testing.T) {
	const resource = "https://mcp.example/jwt"
	issuer := e2etest.StartIssuer(t)
	fast := server{"command": fastServer(t), "stateless": true}
	key := newKey()
	s := newStage(t, 3, map[string]server{
		"mine": fast.with(protected(issuer, resource)), "other": fast.with(protected(issuer, resource)),
	}, withKeys(key))
	alice := caller{url: s.Endpoint("mine"), token: issuer.Token(t, "alice", resource, "files:read")}
	bob := caller{url: s.Endpoint("mine"), token: issuer.Token(t, "bob", resource, "files:read")}
	elsewhere := caller{url: s.Endpoint("other"), token: alice.token}

	foreign := newStage(t, 1, map[string]server{"mine": fast.with(protected(issuer, resource))}, withKeys(newKey()))
	var ids, bobs, foreigns []string
	for range 3 { // one an instance
		ids, bobs = append(ids, alice.open(t)), append(bobs, bob.open(t))
		foreigns = append(foreigns, caller{url: foreign.Endpoint("mine"), token: alice.token}.open(t))
	}
	sealed(t, ids...)
	before := count(t, s)
	unknown := alice.send(t, http.MethodPost, ticket.Prefix+"nobody-ever-had-this-one", echo)
	if unknown.status != http.StatusNotFound {
		t.Fatalf("an unknown id: %+v", unknown)
	}

	r := rand.New(rand.NewChaCha8([32]byte{1: 9}))
	methods := []string{http.MethodPost, http.MethodPost, http.MethodPost, http.MethodGet, http.MethodDelete}
	n := at(20_000, 2_000)
	for i := range n {
		id := forge(r, ids, append(bobs, foreigns...))
		got := alice.send(t, methods[r.IntN(len(methods))], id, echo)
		if got != unknown {
			t.Fatalf("forgery %d, %s: %+v, want %+v", i, id, got, unknown)
		}
	}
	replayed := 0
	for range 30 {
		for name, who := range map[string]caller{"bob": bob, "alice on another server": elsewhere} {
			for _, id := range ids {
				if got := who.send(t, methods[r.IntN(len(methods))], id, echo); got != unknown {
					t.Fatalf("%s with an id of alice: %+v, want %+v", name, got, unknown)
				}
				replayed++
			}
		}
	}
	if after := count(t, s); after != before {
		t.Errorf("there were %+v and are %+v", before, after)
	}
	t.Logf("%d forged and %d replayed ids over HTTP: 0 accepted, 0 processes started", n, replayed)
	for _, id := range ids {
		alice.call(t, id) // which is as good as it was, everywhere
	}
}

// An id is good for max_age_seconds, and its session on the instance that holds it for longer.
func TestIDThatIsTooOldIsUnknownElsewhere(t *testing.T) {
	s := newStage(t, 2, map[string]server{"fast": {
		"command": fastServer(t), "stateless": true, "sessions": map[string]any{"max_age_seconds": 5},
	}}, withKeys(newKey()))
	here, there := s.up()[0].at("fast"), s.up()[1].at("fast")
	id := here.open(t)
	opened := time.Now()
	there.call(t, id)
	late := here.open(t)
	e2etest.Eventually(time.Minute, func() bool { return time.Since(opened) > 8*time.Second })
	if got := there.send(t, http.MethodPost, late, echo); got.status != http.StatusNotFound {
		t.Errorf("an id that is too old: %+v", got)
	}
}

// sealed fails the test unless ids are of the kind that says what it is of.
func sealed(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if len(id) < 60 || !strings.HasPrefix(id, ticket.Prefix) {
			t.Fatalf("%s is no sealed id", id)
		}
	}
}

// count adds up what instances say and what runs.
func count(t *testing.T, s *stage) (all metrics) {
	t.Helper()
	for _, i := range s.up() {
		m := i.metrics(t)
		all.Sessions += m.Sessions
	}
	all.Processes = len(s.processes(t))
	return all
}

// forge returns an id that nobody sealed for the caller, and that HTTP carries.
func forge(r *rand.Rand, ids, others []string) string {
	id := ids[r.IntN(len(ids))]
	raw, _ := base64.RawURLEncoding.DecodeString(id[len(ticket.Prefix)+1:])
	head := id[:len(ticket.Prefix)+1]
	switch r.IntN(6) {
	case 0:
		raw[r.IntN(len(raw))] ^= 1 << r.IntN(8)
		return head + base64.RawURLEncoding.EncodeToString(raw)
	case 1:
		return id[:len(ticket.Prefix)+r.IntN(len(id)-len(ticket.Prefix))]
	case 2:
		return id + strings.Repeat("A", 1+r.IntN(3000))
	case 3:
		other := others[r.IntN(len(others))]
		return id[:len(head)+1+r.IntN(len(id)-len(head)-1)] + other[min(len(other)-1, len(head)+r.IntN(80)):]
	case 4:
		return others[r.IntN(len(others))]
	default:
		at := len(head) + r.IntN(len(id)-len(head))
		c := rune(0x21 + r.IntN(0x5e))
		if byte(c) == id[at] {
			c = '!'
		}
		return id[:at] + string(c) + id[at+1:]
	}
}
