//go:build chaos

package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

const (
	secretHeader   = "X-Chaos-Secret"
	secretVariable = "CHAOS_SECRET"
	secretMark     = "s3cr3t-of-" // begins every secret, so that any one in an output is found
)

// Users with a secret of their own each, which their processes say to stderr whenever they can, and which changes now
// and then: no process has another user's, and no output but the answer to its user has any.
func TestNobodyGetsAnothersSecret(t *testing.T) {
	users, calls := scale(200, 40), scale(1000, 60)
	server := fake("server", "server")
	server.MaxRestarts = 4
	server.EnvFromHeaders = map[string]string{secretVariable: secretHeader}
	server.AuditArguments = []string{"canary"}
	h := startHandler(t, mcpfunc.Config{Servers: []mcpfunc.Server{server}, Audit: "calls", MaxSessions: users + users/2})
	counts := newTally("foreign secrets", "secrets in an error", "secrets in the log", "secrets on a page", "sessions taken with another secret", "lost answers", "processes left")
	dice := seed(t)
	var ids sync.Map // of sessions, by user
	var all sync.WaitGroup
	for i := range users {
		all.Go(func() {
			r := rand.New(rand.NewPCG(dice, uint64(i)))
			u := &user{client: newClient(h, "server"), counts: counts, number: i, ids: &ids, users: users}
			u.renew(r)
			defer u.leave()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
			defer cancel()
			for range calls {
				u.turn(ctx, r)
			}
			if u.s != nil {
				u.s.end(ctx)
			}
		})
	}
	all.Wait()
	f := h.figures(t)
	counts.addN("secrets in the log", f.Secrets)
	counts.addN("bytes logged", int(f.LogBytes))
	counts.addN("restarts", int(f.Restarts))
	counts.addN("sessions opened", int(f.Opened))
	for _, path := range []string{"/", "/api/health", "/api/session_metrics", "/api/metrics"} {
		resp, err := http.Get(h.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		counts.addN("secrets on a page", bytes.Count(body, []byte(secretMark)), path)
	}
	settled(h, counts)
	counts.report(t)
}

// A user has a secret and, mostly, a session.
type user struct {
	*client
	counts *tally
	number int
	users  int
	ids    *sync.Map
	s      *session
}

// renew gives the user a new secret.
func (u *user) renew(r *rand.Rand) {
	u.header = http.Header{secretHeader: {fmt.Sprintf("%s%d-%016x", secretMark, u.number, r.Uint64())}}
}

// turn makes one call, as the dice say.
func (u *user) turn(ctx context.Context, r *rand.Rand) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if u.s == nil {
		s, err := u.open(ctx)
		if err != nil {
			u.counts.add("sessions that did not open", err)
			return
		}
		u.s = s
		u.ids.Store(u.number, s.id)
	}
	switch n := r.IntN(100); {
	case n < 3: // the secret is another: so must be the session
		old := u.header
		u.renew(r)
		u.counts.add("secrets renewed")
		if _, err := u.s.call(ctx, "secret", arguments{}); !errors.Is(err, errNoSession) {
			u.counts.add("sessions taken with another secret", err)
		}
		now := u.header
		u.header = old // by which alone the session can be ended
		if err := u.s.end(ctx); err != nil && !errors.Is(err, errNoSession) {
			u.counts.add("lost answers", "DELETE: ", err)
		}
		u.header, u.s = now, nil
		return
	case n < 8: // the session of somebody else
		id, ok := u.ids.Load(r.IntN(u.users))
		if !ok || id == u.s.id {
			return
		}
		other := &session{client: u.client, id: id.(string)}
		if m, err := other.call(ctx, "secret", arguments{}); !errors.Is(err, errNoSession) {
			u.counts.add("sessions taken with another secret", m.raw, err)
		}
		u.counts.add("sessions tried that are another's")
		return
	case n < 10:
		u.counts.add("crashes")
		m, err := u.s.call(ctx, []string{"exit", "kill", "half"}[n%3], arguments{N: 1, Canary: u.header.Get(secretHeader)})
		u.judge(m, err, false)
		return
	}
	m, err := u.s.call(ctx, "secret", arguments{Canary: u.header.Get(secretHeader)}) // which the audit is asked to show
	u.judge(m, err, true)
}

// judge counts how a call ended.
func (u *user) judge(m message, err error, answered bool) {
	own := u.header.Get(secretHeader)
	switch {
	case errors.Is(err, errNoSession):
		u.counts.add("calls told that the session is over")
		u.s = nil
	case err != nil:
		u.counts.add("lost answers", err)
	case m.Error != nil:
		u.counts.add("calls told of a crash: " + m.Error.Data.Reason)
		if strings.Contains(m.raw, secretMark) {
			u.counts.add("secrets in an error", m.raw)
		}
	case answered && m.text() != own:
		u.counts.add("foreign secrets", fmt.Sprintf("%q for %q", m.text(), own))
	default:
		u.counts.add("calls answered")
	}
}
