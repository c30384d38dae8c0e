package child

import (
	"testing"
	"time"
)

func TestRestartBudget(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := NewRestartBudget(&Spec{Restart: true, MaxRestarts: 3})
	if pause, err := b.Wait(now); pause != 0 || err != nil || b.Left(now) != 3 {
		t.Errorf("at first: %v, %v, %d left", pause, err, b.Left(now))
	}
	for i, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		pause, left, ok := b.Died(now)
		if pause < want || pause > want+want/5 || left != 2-i || !ok {
			t.Errorf("death %d: %v, %d left, %t; want %v to a fifth more", i, pause, left, ok, want)
		}
		if wait, err := b.Wait(now); wait != pause || err != nil {
			t.Errorf("death %d: a start waits for %v, %v", i, wait, err)
		}
		now = now.Add(time.Second)
	}
	if _, left, ok := b.Died(now); left != 0 || ok {
		t.Errorf("one death too many: %d left, %t", left, ok)
	}
	if _, err := b.Wait(now); err == nil {
		t.Error("a start beyond the budget does not fail")
	}
	now = now.Add(exhaustedPause)
	if pause, err := b.Wait(now); pause != 0 || err != nil {
		t.Errorf("after the pause: %v, %v", pause, err)
	}
	now = now.Add(RestartWindow)
	if !b.Untouched(now) || b.Left(now) != 3 {
		t.Errorf("after the window %d are left", b.Left(now))
	}
}

func TestServerThatIsNotRestartedHasNoBudget(t *testing.T) {
	t.Parallel()
	b := NewRestartBudget(&Spec{MaxRestarts: 3})
	if _, left, ok := b.Died(time.Now()); left != 0 || ok {
		t.Errorf("%d left, %t", left, ok)
	}
}
