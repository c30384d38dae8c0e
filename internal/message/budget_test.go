package message

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
)

// greedy takes as many pieces as a share gives, and says why it got no more.
func greedy(s Share) (pieces int, err error) {
	for {
		if err = s.take(bufpool.Size); err != nil {
			return pieces, err
		}
		pieces++
	}
}

func newTestBudget(pieces int64) *Budget { return NewBudget(pieces*bufpool.Size, time.Second) }

// The budget of large messages could once be held by the first caller, and everyone else's failed.
func TestT52NobodyTakesAllOfTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all = 240
		b := newTestBudget(all)
		mallory := b.Share("s", "mallory")
		if n, err := greedy(mallory); n != all/2 || err != errCaller {
			t.Errorf("one caller gets %d of %d: %v", n, all, err)
		}
		if n, err := greedy(b.Share("s", "alice")); n != all/4 || err != errCaller {
			t.Errorf("the next gets %d of %d: %v", n, all, err)
		}
		if n, err := greedy(b.Share("other", "bob")); n != all/8 || err != errCaller {
			t.Errorf("one of another server gets %d of %d: %v", n, all, err)
		}
		if n, _ := greedy(mallory); n != 0 {
			t.Errorf("the first gets %d more", n)
		}
		mallory.give(all / 2 * bufpool.Size)
		if n, err := greedy(b.Share("other", "carol")); n < all/5 {
			t.Errorf("when the first is gone another gets %d of %d: %v", n, all, err)
		}
	})
}

// Nor can a server, however many callers it has, or processes that write messages without an end.
func TestT52NoServerTakesAllOfTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all = 240
		b := newTestBudget(all)
		total := 0
		for n := range 100 {
			got, _ := greedy(b.Share("hostile", fmt.Sprint("process ", n)))
			total += got
		}
		if total > all*3/4 {
			t.Errorf("a server got %d of %d", total, all)
		}
		if n, err := greedy(b.Share("honest", "alice")); n < all/8 {
			t.Errorf("a caller of another gets %d of %d: %v", n, all, err)
		}
		if _, err := greedy(b.Share("hostile", "one more")); err != errServer && err != errCaller {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestErrorsOfTheBudgetSayWhoseFaultItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTestBudget(8)
		share := b.Share("s", "mallory")
		text := `{"id":1,"result":"` + strings.Repeat("x", 6*bufpool.Size) + `"}`
		m := New(&share)
		err := m.Fill(strings.NewReader(text).Read, 1<<30)
		if !errors.Is(err, ErrNoMemory) || !strings.Contains(err.Error(), "this sender") {
			t.Errorf("got %v", err)
		}
		if m.Free(); b.Used() != 0 || len(b.callers) != 0 || len(b.servers) != 0 {
			t.Errorf("%d bytes, %d callers and %d servers are left", b.Used(), len(b.callers), len(b.servers))
		}
	})
}

// Room that is freed in time is used.
func TestMessageWaitsForItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTestBudget(8)
		first, second := b.Share("s", "a"), b.Share("s", "b")
		for range 4 {
			first.take(bufpool.Size)
		}
		go func() {
			time.Sleep(b.wait / 2)
			first.give(4 * bufpool.Size)
		}()
		for n := range 4 {
			if err := second.take(bufpool.Size); err != nil {
				t.Errorf("piece %d: %v", n, err)
			}
		}
	})
}
