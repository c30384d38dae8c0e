//go:build e2e

package backplane

import (
	"errors"
	"net/http"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// A call that the owner has begun and does not finish is not one of which nothing was done.
func TestCallThatTheOwnerGivesUpIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	began := make(chan struct{})
	a := redis.member(t, keys, func(w http.ResponseWriter, r *http.Request, _ Passed) {
		close(began)
		<-r.Context().Done()
	})
	b := redis.member(t, keys, nil)
	a.own(t, "s", nil)
	done := make(chan error, 1)
	go func() {
		_, err := b.pass(t.Context(), t, "s", "x")
		done <- err
	}()
	<-began
	a.lose(errors.New("a connection has failed")) // and works again before others consider it dead
	if err := <-done; err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("got %v", err)
	}
}
