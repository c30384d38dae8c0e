// Package recent remembers a bounded number of values, each for some time. The oldest is forgotten first.
package recent

import "time"

// A Map holds values by key. A zero Map that has a Max is ready to use. Its owner's lock guards it.
type Map[K comparable, V any] struct {
	Max int // number of values; one more, and the oldest is forgotten

	items map[K]item[V]
	order []written[K] // the oldest first, with those that were deleted or written again since
	count int          // of those ever written
}

type item[V any] struct {
	value  V
	until  int64 // in Unix nanoseconds; zero for ever
	number int   // in the order of writing
}

type written[K comparable] struct {
	key    K
	number int
}

// fresh reports whether the time of the item has not passed.
func (i item[V]) fresh() bool { return i.until == 0 || time.Now().UnixNano() < i.until }

// Put writes a value, the newest from now on, which is forgotten at until; a zero until is never.
func (m *Map[K, V]) Put(key K, value V, until time.Time) {
	if m.items == nil {
		m.items = map[K]item[V]{}
	}
	m.count++
	i := item[V]{value: value, number: m.count}
	if !until.IsZero() {
		i.until = until.UnixNano()
	}
	m.items[key] = i
	m.order = append(m.order, written[K]{key, m.count})
	for len(m.order) > 0 {
		oldest := m.order[0]
		if i := m.items[oldest.key]; i.number == oldest.number {
			if len(m.order) <= m.Max && i.fresh() {
				return
			}
			delete(m.items, oldest.key)
		}
		m.order = m.order[1:]
	}
}

// Get returns the value of a key, if there is one.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	i, ok := m.items[key]
	if !ok || !i.fresh() {
		return value, false
	}
	return i.value, true
}

// Delete forgets the value of a key.
func (m *Map[K, V]) Delete(key K) { delete(m.items, key) }

// All yields all that is remembered, in any order.
func (m *Map[K, V]) All(yield func(K, V) bool) {
	for key, i := range m.items {
		if i.fresh() && !yield(key, i.value) {
			return
		}
	}
}
