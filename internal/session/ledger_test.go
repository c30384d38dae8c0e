package session

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestLedgerForgetsTheOldestAndTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		day := time.Now().Add(24 * time.Hour)
		l.write("first", time.Time{}, day)
		l.write("sleeper", time.Now().Add(time.Hour), day)
		if !l.over("first") || l.over("sleeper") || l.over("another") || l.asleep() != 1 {
			t.Error("what was written is not what is read")
		}
		time.Sleep(time.Hour)
		if !l.over("sleeper") || l.asleep() != 0 {
			t.Error("who slept for too long is not over")
		}
		for i := range maxFates {
			l.write(fmt.Sprint(i), time.Time{}, day)
		}
		if l.over("first") || !l.over("0") || len(l.fates) != maxFates || len(l.order) != maxFates {
			t.Errorf("%d are kept, and %d entries", len(l.fates), len(l.order))
		}
		time.Sleep(24 * time.Hour)
		if l.over("0") {
			t.Error("an id that is too old is remembered")
		}
		if l.write("last", time.Time{}, time.Now().Add(time.Hour)); len(l.fates) != 1 || len(l.order) != 1 {
			t.Errorf("%d are kept", len(l.fates))
		}
	})
}

// One that sleeps and wakes all day is one entry of what is known, however often it is written.
func TestLedgerKeepsTheNewestOfAnId(t *testing.T) {
	t.Parallel()
	l, day := newLedger(), time.Now().Add(24*time.Hour)
	for range 2 * maxFates {
		l.write("id", time.Now().Add(time.Hour), day)
		l.wake("id")
	}
	l.write("id", time.Time{}, day)
	if l.wake("id"); !l.over("id") || len(l.fates) != 1 || len(l.order) > maxFates {
		t.Errorf("over %t, %d fates, %d entries", l.over("id"), len(l.fates), len(l.order))
	}
}
