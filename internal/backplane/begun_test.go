//go:build e2e

package backplane

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
