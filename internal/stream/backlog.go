package stream

// Bounds of what a Set keeps for readers that may come back.
const (
	keptEvents = 1024
	keptBytes  = 4 << 20 // the newest event is kept whatever its size
)

// A backlog bounds what the streams of a Set keep together. It remembers in which order they
// got their events; the oldest that may go goes first. It is guarded by the Set's mu.
type backlog struct {
	order []keptEvent // from head on
	head  int
	bytes int
}

type keptEvent struct {
	st   *Stream
	size int
}

func (b *backlog) add(st *Stream, size int) {
	b.order = append(b.order, keptEvent{st, size})
	b.bytes += size
	for i := b.head; i < len(b.order)-1 && (len(b.order)-b.head > keptEvents || b.bytes > keptBytes); {
		// The entry stands for the oldest event of its stream unless earlier entries do.
		oldest := b.order[i].st
		if oldest.reader != nil && oldest.sent < oldest.first {
			i++ // a reader is about to take it
			continue
		}
		oldest.dropLocked()
		if oldest.ended && oldest.emptyLocked() {
			delete(oldest.set.streams, oldest.number)
		}
		if oldest.kept.shared != nil && oldest != st { // what st gets says it, too
			oldest.unshareLocked()
		}
		b.bytes -= b.order[i].size
		i = b.remove(i)
	}
}

// remove forgets an entry, and returns where the next one is. Room before head is used again once it is as much as what
// is behind it, so that an entry costs no memory but its own, and is moved once at most.
func (b *backlog) remove(i int) (next int) {
	if i > b.head {
		copy(b.order[i:], b.order[i+1:])
		b.order[len(b.order)-1] = keptEvent{}
		b.order = b.order[:len(b.order)-1]
		return i
	}
	b.order[b.head] = keptEvent{}
	b.head++
	if b.head < len(b.order)-b.head {
		return b.head
	}
	n := copy(b.order, b.order[b.head:])
	clear(b.order[n:])
	b.order, b.head = b.order[:n], 0
	return 0
}
