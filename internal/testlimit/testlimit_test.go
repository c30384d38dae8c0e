package testlimit

import (
	"flag"
	"testing"
	"time"
)

func TestWaitIsOverBeforeGoTestIs(t *testing.T) {
	timeout := flag.Lookup("test.timeout").Value
	before := timeout.String()
	t.Cleanup(func() { timeout.Set(before) })
	for limit, want := range map[string]time.Duration{"0s": longest, "1h": longest, "4m": 3 * time.Minute} {
		if err := timeout.Set(limit); err != nil {
			t.Fatal(err)
		}
		if got := Wait(); got > want || got < want-time.Minute {
			t.Errorf("with -timeout %s tests wait %s, want about %s", limit, got, want)
		}
	}
}

func TestEventuallyGivesUp(t *testing.T) {
	timeout := flag.Lookup("test.timeout").Value
	before := timeout.String()
	t.Cleanup(func() { timeout.Set(before) })
	asked := 0
	if !Eventually(func() bool { asked++; return asked == 3 }) {
		t.Error("it came, and was not seen")
	}
	if err := timeout.Set("1ns"); err != nil {
		t.Fatal(err)
	}
	if Eventually(func() bool { return false }) {
		t.Error("it never came, and was seen")
	}
}
