package pace

import (
	"testing"
	"time"
)

func TestBucketFillsUpToItsBurst(t *testing.T) {
	const burst, rate = 50, 5
	at := time.Unix(0, 0)
	b := Bucket{Burst: burst, Rate: rate}
	taken := func() (n int) {
		for b.Take(at) {
			n++
		}
		return n
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, burst}, {0, 0}, {time.Second, rate}, {-time.Minute, 0}, {time.Minute + time.Hour, burst}} {
		at = at.Add(step.after)
		if got := taken(); got != step.want {
			t.Errorf("after %v: %d, want %d", step.after, got, step.want)
		}
	}
}

func TestBucketSaysHowLongToWait(t *testing.T) {
	at := time.Unix(0, 0)
	b := Bucket{Burst: 2, Rate: 0.5}
	if !b.Full(at) || b.Wait(at) != 0 {
		t.Error("a new bucket is not full")
	}
	for range 5 {
		b.Charge(at)
	}
	if got := b.Wait(at); got != 8*time.Second {
		t.Errorf("three beyond, and one to have: %s", got)
	}
	if at = at.Add(8 * time.Second); !b.Has(at) || b.Full(at) {
		t.Error("the wait was not long enough, or the bucket is full")
	}
	if at = at.Add(2 * time.Second); !b.Take(at) {
		t.Error("no token")
	}
}
