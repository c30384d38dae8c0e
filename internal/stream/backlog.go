package stream

// Bounds of what a Set keeps for readers that may come back.
const (
	keptEvents = 1024
	keptBytes  = 4 << 20 // the newest event is kept whatever its size
)

// A backlog bounds what the streams of a Set keep together. It remembers in which order they
// got their events; the oldest that may go goes first. It is guarded by the Set's mu.
type backlog struct {
	order []keptEvent
	bytes int
}

type keptEvent struct {
	st   *Stream
	size int
}

func (b *backlog) add(st *Stream, size int) {
	b.order = append(b.order, keptEvent{st, size})
	b.bytes += size
	for i := 0; i < len(b.order)-1 && (len(b.order) > keptEvents || b.bytes > keptBytes); {
		// The entry stands for the oldest event of its stream unless earlier entries do.
		oldest := b.order[i].st
		if oldest.reader != nil && oldest.sent < oldest.first {
			i++ // a reader is about to take it
			continue
		}
		oldest.dropLocked()
		if oldest.ended && len(oldest.events) == 0 {
			delete(oldest.set.streams, oldest.number)
		}
		if oldest.shared != nil && oldest != st { // what st gets says it, too
			oldest.unshareLocked()
		}
		b.bytes -= b.order[i].size
		if i == 0 {
			b.order = b.order[1:]
		} else {
			b.order = append(b.order[:i], b.order[i+1:]...)
		}
	}
}
