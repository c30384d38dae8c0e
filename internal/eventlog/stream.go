package eventlog

import (
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// Kinds of entries, the first byte of what is sealed.
const (
	kindOpen  = 'o' // there is nothing yet; its number is the one before the first event's
	kindEvent = 'e'
	kindLast  = 'l' // an event, and nothing comes after it
	kindEnd   = 'x' // nothing comes; its number is the one after the last event's
)

// A Stream is the log of one stream, as its instance writes it. Its methods do not wait and do no I/O,
// so that they may be called under a lock. They are called one at a time.
type Stream struct {
	log    *Log
	holder ticket.Holder
	key    string
	about  []byte
	sealer *ticket.Sealer // of the writer alone; nil before the first entry

	// Guarded by the log's mu.
	state    state
	written  bool // the Store may have some of it
	trimming bool // it is among the log's trims
	queued   int  // entries
	newest   int
	first    int // the oldest event that is still worth keeping
}

type state int

const (
	running state = iota
	over          // its last entry is queued or written
	dropped       // it is not written any more
)

// An entry waits to be written.
type entry struct {
	st            *Stream
	kind          byte
	number, first int
	m             *message.Message // nil for none
}

func (e entry) size() int {
	if e.m == nil {
		return 0
	}
	return e.m.Len()
}

func (e entry) free() {
	if e.m != nil {
		e.m.Free()
	}
}

// Open returns the log of a stream whose next event has the number after this one.
func (l *Log) Open(n Name, number int) *Stream {
	st := &Stream{log: l, holder: n.Holder, key: n.key(), about: n.bytes()}
	l.add(entry{st: st, kind: kindOpen, number: number, first: number})
	return st
}

// Append adds an event, which it holds until it is written. Numbers rise by one; first is that of the
// oldest event that is still worth keeping. If it is the last, nothing may be called after it but Trim
// and Drop.
func (st *Stream) Append(number, first int, m *message.Message, last bool) {
	e := entry{st: st, kind: kindEvent, number: number, first: first, m: m}
	if last {
		e.kind = kindLast
	}
	st.log.add(e)
}

// End says that no event comes, where none was the last.
func (st *Stream) End() {
	st.log.mu.Lock()
	newest, first := st.newest, st.first
	st.log.mu.Unlock()
	st.log.add(entry{st: st, kind: kindEnd, number: newest + 1, first: first})
}

// Trim says that events before first need not be kept any more.
func (st *Stream) Trim(first int) {
	l := st.log
	l.mu.Lock()
	defer l.mu.Unlock()
	st.first = first
	if st.state == dropped || st.trimming {
		return
	}
	st.trimming = true
	l.trims = append(l.trims, st)
	l.rouse()
}

// Drop forgets the log.
func (st *Stream) Drop() {
	st.log.mu.Lock()
	defer st.log.mu.Unlock()
	st.dropLocked()
}

// add queues an entry. A stream for which there is no room is given up as a whole: a reader of what is
// there of it must not wait for what is not.
func (l *Log) add(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := e.st
	if st.state != running || l.closed {
		return
	}
	if !l.roomLocked(e) {
		l.givenUp++
		st.dropLocked()
		return
	}
	st.newest, st.first = e.number, e.first
	if e.m != nil {
		e.m.Retain()
	}
	l.queue = append(l.queue, e)
	l.countLocked(e, 1)
	switch e.kind {
	case kindOpen:
		l.open[st] = struct{}{}
	case kindLast, kindEnd:
		st.state = over
		delete(l.open, st)
	}
	l.rouse()
}

// roomLocked reports whether e may be queued. What is queued of one holder's streams is never more than what is
// left for everyone else's, so that a flood of one does not cost others the streams that they could resume.
func (l *Log) roomLocked(e entry) bool {
	q := l.queued[e.st.holder]
	return e.size() <= MaxEvent && q.entries+1 <= maxQueued-len(l.queue)-1 && q.bytes+e.size() <= maxQueuedBytes-l.bytes-e.size()
}

// queued is how much waits to be written.
type queued struct{ entries, bytes int }

// countLocked counts e in (1) or out (-1).
func (l *Log) countLocked(e entry, n int) {
	e.st.queued += n
	l.bytes += n * e.size()
	q := l.queued[e.st.holder]
	q.entries += n
	q.bytes += n * e.size()
	if q.entries == 0 {
		delete(l.queued, e.st.holder)
		return
	}
	l.queued[e.st.holder] = q
}

// dropLocked forgets the log, and what is queued for it.
func (st *Stream) dropLocked() {
	l := st.log
	if st.state == dropped {
		return
	}
	st.state = dropped
	delete(l.open, st)
	if st.queued > 0 { // most are not
		l.queue = slices.DeleteFunc(l.queue, func(e entry) bool {
			if e.st != st {
				return false
			}
			l.countLocked(e, -1)
			e.free()
			return true
		})
	}
	if st.written && !l.closed {
		l.drops = append(l.drops, st.key)
	}
	l.rouse()
}

// rouse wakes the writer.
func (l *Log) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// seal returns what puts the entry into the Store.
func (e entry) seal() Op {
	st := e.st
	if st.sealer == nil {
		st.sealer = st.log.keys.Sealer()
	}
	plain := append(make([]byte, 0, 1+e.size()), e.kind)
	if e.m != nil {
		e.m.Each(func(part []byte) error {
			plain = append(plain, part...)
			return nil
		})
	}
	return Op{Do: Put, Log: st.key, Number: e.number, First: e.first, Data: st.sealer.Seal(uint64(e.number), plain, st.about)}
}
