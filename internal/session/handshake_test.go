package session

import (
	"fmt"
	"testing"
)

func TestWhatWasGrantedIsKeptOnceAndBounded(t *testing.T) {
	t.Parallel()
	var h handshake
	const level, subscribe, unsubscribe = "logging/setLevel", "resources/subscribe", "resources/unsubscribe"
	h.grant(level, "", "debug")
	h.grant(subscribe, "a", "a")
	h.grant(level, "", "info")
	h.grant(subscribe, "", "empty")
	h.grant(subscribe, "a", "a again")
	if got := fmt.Sprint(h.granted); got != "[{logging/setLevel  info} {resources/subscribe  empty} {resources/subscribe a a again}]" {
		t.Errorf("granted: %s", got)
	}
	h.grant(unsubscribe, "a", "no a")
	h.grant(unsubscribe, "", "none")
	h.grant(level, "", "") // too large for a record
	if !h.stateless() {
		t.Errorf("granted: %v", h.granted)
	}
	for i := range 2 * maxSubscriptions {
		h.grant(subscribe, fmt.Sprint(i), "more")
	}
	h.grant(level, "", "info")
	if n := len(h.granted); n != maxSubscriptions+1 {
		t.Errorf("%d are kept, want %d and a level", n, maxSubscriptions)
	}
}
