package child

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A server whose processes never answer could hold all slots, and no other server's process started.
func TestT35NoServerHoldsAllSlotsOfStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 12
		s := newStartSlots(limit)
		ctx, cancel := context.WithCancel(t.Context())
		held := make(chan *startSlot, 100)
		for range 50 {
			go func() {
				if slot, err := s.acquire(ctx, "hostile", ""); err == nil {
					held <- slot
				}
			}()
		}
		synctest.Wait()
		if n := len(held); n != limit {
			t.Errorf("a server holds %d of %d slots", n, limit)
		}
		for n := range 10 { // one after another, while the hostile one holds what it has
			slot, err := s.acquire(t.Context(), "honest", "")
			if err != nil {
				t.Fatal(n, err)
			}
			slot.release(true)
		}
		cancel()
		synctest.Wait()
		for len(held) > 0 {
			slot := <-held
			slot.release(false)
			slot.release(false) // the second time nothing happens
		}
		if s.used != 0 || len(s.held) != 0 || len(s.queue) != 0 || s.waiting.Load() != 0 {
			t.Errorf("left: %d used, %v held, %d waiting", s.used, s.held, len(s.queue))
		}
	})
}

func TestSlotsAreGivenInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStartSlots(1)
		first, _ := s.acquire(t.Context(), "a", "")
		reserved, _ := s.acquire(t.Context(), "z", "")
		order := make(chan string, 3)
		for _, server := range []string{"b", "c", "a"} {
			go func() {
				slot, err := s.acquire(t.Context(), server, "")
				if err != nil {
					t.Error(err)
					return
				}
				order <- server
				time.Sleep(time.Second)
				slot.release(true)
			}()
			synctest.Wait()
		}
		first.release(true)
		for _, want := range []string{"b", "c", "a"} {
			if got := <-order; got != want {
				t.Errorf("%s has a slot, want %s", got, want)
			}
		}
		reserved.release(true)
		time.Sleep(2 * time.Second)
	})
}
