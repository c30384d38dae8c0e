//go:build e2e

package backplane

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// An answer that does not fit a response that has begun as a stream of events is dropped, and with it the bytes that
// count against what may wait to be read.
func TestAnswerThatDoesNotFitIsDropped(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	a, b := redis.member(t, keys, func(w http.ResponseWriter, _ *http.Request, _ Passed) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, strings.Repeat("no ", 1000))
	}), redis.member(t, keys, nil)
	a.own(t, "s", nil)
	w := httptest.NewRecorder()
	target := Target{Owner: b.ownerOf(t, "s"), Session: "s"}
	err := b.Forward(t.Context(), w, httptest.NewRequest("POST", "/", nil), target, strings.NewReader("x"), true)
	if _, lost := errors.AsType[*LostError](err); !lost || w.Body.Len() > 0 {
		t.Errorf("%v, and the client got %q", err, w.Body)
	}
	if b.unread != 0 {
		t.Errorf("%d bytes are counted as unread", b.unread)
	}
}

// The owner hears that nobody reads its answer any more, even if it would not send anything else.
func TestOwnerHearsThatItsAnswerIsDropped(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	over := make(chan struct{})
	a, b := redis.member(t, keys, func(w http.ResponseWriter, r *http.Request, _ Passed) {
		defer close(over)
		io.WriteString(w, "the beginning")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
	}), redis.member(t, keys, nil)
	a.own(t, "s", nil)
	b.count(maxUnread) // as if calls that nobody reads had filled it
	w, err := b.pass(t.Context(), t, "s", "x")
	if !errors.Is(err, errUnread) || w.Body.Len() > 0 {
		t.Errorf("%v, and the client got %q", err, w.Body)
	}
	select {
	case <-over:
	case <-time.After(testlimit.Wait()):
		t.Error("the owner goes on with the call")
	}
}
