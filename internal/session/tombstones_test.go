package session

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestTombstonesOfTheOldestAndTheOldAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newTombstones()
		day := time.Now().Add(24 * time.Hour)
		ts.write("first", time.Time{}, day)
		ts.write("sleeper", time.Now().Add(time.Hour), day)
		if !ts.isOver("first") || ts.isOver("sleeper") || ts.isOver("another") || ts.asleep() != 1 {
			t.Error("what was written is not what is read")
		}
		time.Sleep(time.Hour)
		if !ts.isOver("sleeper") || ts.asleep() != 0 {
			t.Error("who slept for too long is not over")
		}
		for i := range maxTombstones {
			ts.write(fmt.Sprint(i), time.Time{}, day)
		}
		if ts.isOver("first") || !ts.isOver("0") {
			t.Error("not the last ones are kept")
		}
		time.Sleep(24 * time.Hour)
		if ts.isOver("0") {
			t.Error("an id that is too old is remembered")
		}
	})
}

// One that hibernates and wakes all day is one entry of what is known, however often it is written.
func TestNewestTombstoneOfAnIDIsKept(t *testing.T) {
	t.Parallel()
	ts, day := newTombstones(), time.Now().Add(24*time.Hour)
	for range 2 * maxTombstones {
		ts.write("id", time.Now().Add(time.Hour), day)
		ts.wake("id")
	}
	ts.write("id", time.Time{}, day)
	if ts.wake("id"); !ts.isOver("id") {
		t.Error("it is not over")
	}
}
