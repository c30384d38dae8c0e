package stream

import (
	"strings"
	"testing"
)

func TestEventIDNamesItsStreamLifeAndRequest(t *testing.T) {
	t.Parallel()
	for _, e := range []EventID{
		{Stream: 0, Sequence: 7, Life: "ABC234"},
		{Stream: 12, Sequence: 0, Life: "ABC234", Request: `"seven"`},
		{Stream: 3, Sequence: 1, Life: "ABC234", Request: `-1.5`},
	} {
		got, err := ParseEventID(e.String())
		if err != nil || got.String() != e.String() || got.Stream != e.Stream || got.Request != e.Request {
			t.Errorf("%v came back as %v, %v", e, got, err)
		}
	}
	long := EventID{Stream: 1, Life: "ABC234", Request: `"` + strings.Repeat("x", maxRequest) + `"`}
	if got, err := ParseEventID(long.String()); err != nil || got.Request != "" {
		t.Errorf("a long id of a request: %v, %v", got, err)
	}
}

// Ids come from anyone who sends a header, and one of them becomes part of a message.
func TestEventIDsThatWeDoNotMakeAreRefused(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"", "-", "1", "1-2", "1-2-", "1-2-ABC23", "1-2-ABC2345", "-1-2-ABC234", "01-2-ABC234", "1-+2-ABC234", "1-2-ABC234-",
		"1-2-ABC234-e30",        // {}
		"1-2-ABC234-bnVsbA",     // null
		"1-2-ABC234-Nw=",        // not as we write it
		"1-2-ABC234-Nx",         // nor that
		"1-2-ABC234-NywieCI6MQ", // 7,"x":1
		"1-2-ABC234-NyA",        // 7 and a blank
		"1-2-ABC234-IgoieA",     // a line break
		"99999999999999999999-1-ABC234",
	} {
		if e, err := ParseEventID(id); err != ErrEventID {
			t.Errorf("%q is %v, %v", id, e, err)
		}
	}
}
