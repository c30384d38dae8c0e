package stream

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// However long events are, and some of them forgotten, from every number on they are read as they came.
func TestKeptEventsAreReadAsTheyCame(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	var k kept
	var want []string // from the number first on
	first := 1
	at := 1 // of somebody who reads along
	for n := range 2000 {
		size := random.IntN(200)
		switch random.IntN(10) {
		case 0:
			size = chunkSize - 45 + random.IntN(10) // about as long as may be small
		case 1:
			size = 3000
		}
		text := fmt.Sprintf(`{"jsonrpc":"2.0","method":"m","params":"%d%s"}`, n, strings.Repeat("x", size))
		m := message.Must([]byte(text))
		k.add(m)
		m.Free()
		want = append(want, text)
		for range random.IntN(3) {
			if len(want) > 0 && random.IntN(40) > 0 {
				k.drop()
				want, first = want[1:], first+1
			}
		}
		for at = max(at, first); at < first+len(want) && random.IntN(3) > 0; at++ {
			if got := bytesAt(&k, at, first); got != want[at-first] {
				t.Fatalf("event %d read as %.60q, want %.60q", at, got, want[at-first])
			}
		}
		if len(want) == 0 {
			if k.first != nil || k.last != nil || k.count != 0 {
				t.Fatalf("nothing is kept, and there is %+v", k)
			}
			continue
		}
		number := first + random.IntN(len(want))
		if got := bytesAt(&k, number, first); got != want[number-first] {
			t.Fatalf("event %d read again as %.60q, want %.60q", number, got, want[number-first])
		}
	}
	for range want {
		k.drop()
	}
	if k.first != nil || k.last != nil || k.count != 0 {
		t.Errorf("nothing is kept, and there is %+v", k)
	}
}

func bytesAt(k *kept, number, first int) string {
	small, large := k.event(number, first)
	var text bytes.Buffer
	Event{Message: large, small: small}.WriteTo(&text)
	return text.String()
}

// What was taken stays what it is while others are pushed, and the taken one is forgotten.
func TestTakenEventOutlivesItsKeeping(t *testing.T) {
	t.Parallel()
	s, st := newTestSet(), new(Stream)
	r := s.Open(st, "")
	r.Keep(nil)
	push(t, s, st, 1)
	e, _ := r.Take()
	for n := range 2 * keptEvents {
		push(t, s, st, n+2)
		other := new(Stream) // which gets what the first one used
		reader := s.Open(other, "")
		reader.Keep(nil)
		reader.Leave()
		push(t, s, other, n)
		if n%100 == 0 {
			st.reader.at = st.nextLocked() // it has read along
			st.sent = st.nextLocked() - 1
		}
	}
	if got := method(e); got != "m1" {
		t.Errorf("became %q", got)
	}
	e.Free()
}

// Small events that are kept cost little more than their bytes.
func TestKeptEventsCostLittle(t *testing.T) {
	t.Parallel()
	s, st := newTestSet(), new(Stream)
	s.Open(st, "").Keep(nil)
	bytes := 0
	for range 500 {
		m := message.Must([]byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":2,"total":100}}`))
		bytes += m.Len()
		s.Push(st, m, false)
	}
	room := 0
	for c := st.kept.first; c != nil; c = c.next {
		room += cap(c.events)
	}
	if room > bytes*5/4 {
		t.Errorf("%d bytes lie in %d", bytes, room)
	}
}
