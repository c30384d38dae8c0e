package recent

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"
)

const most = 1000

func TestOldestAndOldAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, day := Map[int, string]{Max: most}, time.Now().Add(24*time.Hour)
		m.Put(0, "zero", day)
		if s, ok := m.Get(0); s != "zero" || !ok {
			t.Errorf("%q, %t", s, ok)
		}
		for i := range most {
			m.Put(i+1, "more", day)
		}
		if _, ok := m.Get(0); ok || len(m.items) != most || len(m.order) != most {
			t.Errorf("the oldest is there: %t, of %d, in an order of %d", ok, len(m.items), len(m.order))
		}
		if n := len(maps.Collect(m.All)); n != most {
			t.Errorf("%d are listed, want %d", n, most)
		}
		time.Sleep(24 * time.Hour)
		if s, ok := m.Get(1); ok || s != "" {
			t.Errorf("%q is remembered after its time", s)
		}
		if n := len(maps.Collect(m.All)); n > 0 {
			t.Errorf("%d are listed after their time", n)
		}
		if m.Put(1, "last", time.Now().Add(time.Hour)); len(m.items) != 1 || len(m.order) != 1 {
			t.Errorf("%d are kept after their time, in an order of %d", len(m.items), len(m.order))
		}
	})
}

// One that is written and deleted again and again is one, and costs the others nothing.
func TestWrittenAgainIsNewest(t *testing.T) {
	t.Parallel()
	m := Map[int, int]{Max: most}
	for i := range 3 * most {
		m.Put(1, i, time.Time{})
		m.Delete(1)
	}
	if _, ok := m.Get(1); ok || len(m.items) != 0 {
		t.Error("it is there after it was deleted")
	}
	m.Put(1, 1, time.Time{})
	m.Put(2, 2, time.Time{})
	m.Put(1, 3, time.Time{}) // the newest now
	for i := range most - 1 {
		m.Put(10+i, i, time.Time{})
	}
	if _, ok := m.Get(2); ok {
		t.Error("the oldest is there")
	}
	if v, ok := m.Get(1); !ok || v != 3 || len(m.order) > most {
		t.Errorf("%d, %t, in an order of %d", v, ok, len(m.order))
	}
}
