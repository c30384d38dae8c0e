// Package eventlog keeps the events of streams where other instances find them, so that a client can resume a
// stream on any instance.
//
// The instance that has a stream writes it to the stream's own log; every instance can read it. The writer
// never waits: events are queued, within bounds, and one goroutine writes them, as many per round trip as are
// queued. A reader trusts only what it can verify: entries are numbered and sealed, the last one is marked as
// the last, and until then the writer has to be alive. So whatever fails, the queue, the Store or the
// instance, a reader either gets every event once and in order, or is told that some are lost.
package eventlog

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/pace"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

const (
	// MaxEvent is how many bytes an event may have. A stream with a larger one is given up: its log is
	// dropped and its clients must come back to this instance.
	MaxEvent = 4 << 20

	maxQueued      = 4 << 10  // entries that wait to be written, of all streams
	maxQueuedBytes = 16 << 20 // of them; events that streams hold anyway are not copied for it
	maxBatch       = 1 << 10  // entries in one round trip
	maxBatchBytes  = 1 << 20  // of them; one is written whatever its size

	beat         = 1500 * time.Millisecond // how often a writer says that it is alive while a stream is open
	live         = 5 * time.Second         // how long that is good
	writeTimeout = 5 * time.Second
	minPause     = 100 * time.Millisecond // after a failure
	maxPause     = 5 * time.Second
	flushTimeout = 3 * time.Second // in which Close writes what is queued
)

// A Log writes the streams of one instance and reads those of others. Its methods may be called from
// any goroutine.
type Log struct {
	store  Store
	keys   *ticket.Keys
	log    *slog.Logger
	writer string // what the instance is called in the Store

	ctx     context.Context // until Close has waited for long enough
	cancel  context.CancelFunc
	closing chan struct{}
	done    chan struct{} // closed when nothing is written any more
	wake    chan struct{} // says that there is something to write; capacity 1

	mu      sync.Mutex
	queue   []entry
	bytes   int
	queued  map[ticket.Holder]queued // of that, by whose it is
	open    map[*Stream]struct{}     // that may have entries yet
	trims   []*Stream
	drops   []string // keys of logs
	givenUp int      // streams, since it was said
	closed  bool
}

// New returns a Log whose entries are sealed with keys. Close must be called.
func New(store Store, keys *ticket.Keys, log *slog.Logger) *Log {
	l := &Log{
		store: store, keys: keys, log: log, writer: rand.Text()[:16],
		closing: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1), open: map[*Stream]struct{}{}, queued: map[ticket.Holder]queued{},
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	go l.write()
	return l
}

// Close writes what is queued, for 3 s at most, and says that nothing more comes. What streams say from
// then on is not written.
func (l *Log) Close() {
	l.mu.Lock()
	was := l.closed
	l.closed = true
	l.mu.Unlock()
	if !was {
		close(l.closing)
	}
	late := time.AfterFunc(flushTimeout, l.cancel)
	<-l.done
	late.Stop()
	l.cancel()
}

// write writes what is queued until Close.
func (l *Log) write() {
	defer close(l.done)
	said, kept := time.Time{}, time.Now()
	for {
		ops := l.batch()
		now := time.Now()
		if now.Sub(kept) >= Kept/3 { // of a stream that says nothing for long
			kept = now
			ops = append(ops, l.keepOpen()...)
		}
		var clock <-chan time.Time // which runs only for those who may be read
		if l.anyOpen() {
			clock = time.After(beat - now.Sub(said))
		}
		if len(ops) > 0 || clock != nil && now.Sub(said) >= beat {
			if !l.deliver(ops) {
				break
			}
			said = now
			continue
		}
		select {
		case <-l.wake:
		case <-clock:
		case <-l.closing:
			if !l.pending() {
				l.bury()
				return
			}
		}
	}
	l.forget()
}

// deliver writes ops, however often it takes, and reports false if they were not before Close.
func (l *Log) deliver(ops []Op) bool {
	for pause, down := minPause, false; ; pause = min(2*pause, maxPause) {
		ctx, cancel := context.WithTimeout(l.ctx, writeTimeout)
		err := l.store.Write(ctx, l.writer, live, ops)
		cancel()
		switch {
		case err == nil && down:
			l.log.Info("events are written again: clients can resume streams on other instances")
			fallthrough
		case err == nil:
			l.sayGivenUp()
			return true
		case l.ctx.Err() != nil:
			return false
		case !down:
			down = true
			l.log.Warn("cannot write events: until that works, clients can resume streams on this instance only", "error", err)
		}
		if pace.Wait(l.ctx, pause) != nil {
			return false
		}
	}
}

// bury says that this writer is dead, since it is about to be: readers need not wait to find out.
func (l *Log) bury() {
	if err := l.store.Write(l.ctx, l.writer, 0, nil); err != nil {
		l.log.Debug("cannot tell readers on other instances that this one has ended", "error", err)
	}
}

// forget lets go of what could not be written.
func (l *Log) forget() {
	l.mu.Lock()
	queue := l.queue
	l.queue, l.bytes = nil, 0
	clear(l.queued)
	l.mu.Unlock()
	for _, e := range queue {
		e.free()
	}
	if n := len(queue); n > 0 {
		l.log.Warn("events not written before shutdown", "events", n)
	}
}

// sayGivenUp logs what add may not, because it is called under a lock.
func (l *Log) sayGivenUp() {
	l.mu.Lock()
	n := l.givenUp
	l.givenUp = 0
	l.mu.Unlock()
	if n > 0 {
		l.log.Warn("streams no longer written: too many events, or one too large; clients can resume them on this instance only",
			"streams", n, "queue", maxQueued, "queue_bytes", maxQueuedBytes, "event_bytes", MaxEvent)
	}
}

// batch takes from the queue what goes into one round trip. Logs that are given up go first: nothing of
// them is in the queue.
func (l *Log) batch() (ops []Op) {
	l.mu.Lock()
	for _, key := range l.drops {
		ops = append(ops, Op{Do: Drop, Log: key})
	}
	l.drops = nil
	for _, st := range l.trims {
		if st.trimming = false; st.state != dropped {
			ops = append(ops, Op{Do: Trim, Log: st.key, Number: st.newest, First: st.first})
		}
	}
	l.trims = nil
	n, bytes := 0, 0
	for n < len(l.queue) && n < maxBatch && (n == 0 || bytes+l.queue[n].size() <= maxBatchBytes) {
		bytes += l.queue[n].size()
		l.queue[n].st.written = true
		l.countLocked(l.queue[n], -1)
		n++
	}
	entries := slices.Clone(l.queue[:n])
	clear(l.queue[:n])
	l.queue = l.queue[n:]
	l.mu.Unlock()
	for _, e := range entries { // which takes its time
		ops = append(ops, e.seal())
		e.free()
	}
	return ops
}

// keepOpen says of all streams that may yet have something to say that their logs are to be kept.
func (l *Log) keepOpen() (ops []Op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for st := range l.open {
		ops = append(ops, Op{Do: Keep, Log: st.key})
	}
	return ops
}

func (l *Log) anyOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open) > 0
}

func (l *Log) pending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)+len(l.trims)+len(l.drops) > 0
}
