//go:build e2e

package backplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// A token is a password that changes, and no connection is made with an old one.
func TestTokensAreTheCurrentPassword(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	admin := server.client(t)
	var generation atomic.Int64
	set := func() {
		n := generation.Add(1)
		err := admin.Do(t.Context(), "ACL", "SETUSER", "object", "reset", "on", fmt.Sprintf(">token-%d", n), "~*", "&*", "+@all").Err()
		if err != nil {
			t.Fatal(err)
		}
	}
	set()
	a, err := parseAddress(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.Username, a.Password = "object", ""
	asked := atomic.Int64{}
	a.token = func(context.Context) (string, error) {
		asked.Add(1)
		return fmt.Sprintf("token-%d", generation.Load()), nil
	}
	log := &instance{}
	s := &Store{server: a, log: slog.New(slog.NewTextHandler(log, nil))}
	s.client = s.connect(func(*redis.Options) {})
	m := &member{NewInstance(s, ticket.RandomKeys(), s.log), s, log}
	m.Start(echo)
	defer func() {
		m.Close()
		s.Close()
		if log.logged("token-") {
			t.Errorf("a token is in the log:\n%s", &log.log)
		}
	}()
	m.own(t, "s", nil)
	set()
	if err := admin.ClientKillByFilter(t.Context(), "USER", "object").Err(); err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	eventually(t, "it gets in with the new token", func() bool {
		release, _, err := m.Claim(t.Context(), "other", nil)
		if err == nil {
			release()
		}
		return err == nil
	})
	if strings.Contains(server.URL, "token") || asked.Load() < 2 {
		t.Errorf("%d tokens were asked for", asked.Load())
	}
}
