package mcptest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
)

// Events is what instances share of streams, in memory. Its zero value is empty. Each instance has a
// Link to it.
type Events struct {
	mu      sync.Mutex
	logs    map[string]*sharedLog
	writers map[string]time.Time // until when they live
	writes  int
}

type sharedLog struct {
	writer  string
	entries []eventlog.Entry
	until   time.Time
}

// A Link is an eventlog.Store that does what one on Redis does.
type Link struct {
	Delay time.Duration // of a round trip; set before use

	e    *Events
	down atomic.Bool
}

var _ eventlog.Store = (*Link)(nil)

var errDown = errors.New("the link is down")

// Link returns a new one.
func (e *Events) Link() *Link { return &Link{e: e} }

// SetDown cuts the link, or mends it. An instance whose link is cut for good is as good as killed.
func (l *Link) SetDown(down bool) { l.down.Store(down) }

func (l *Link) up(ctx context.Context) error {
	time.Sleep(l.Delay)
	if l.down.Load() {
		return errDown
	}
	return ctx.Err()
}

// Write does what ops say, all of it or nothing.
func (l *Link) Write(ctx context.Context, writer string, live time.Duration, ops []eventlog.Op) error {
	if err := l.up(ctx); err != nil {
		return err
	}
	l.e.write(writer, live, ops)
	return nil
}

// Newest returns the last entry of a log.
func (l *Link) Newest(ctx context.Context, log string) (eventlog.Entry, string, error) {
	if err := l.up(ctx); err != nil {
		return eventlog.Entry{}, "", err
	}
	last, writer := l.e.newest(log)
	return last, writer, nil
}

// Read returns entries of a log.
func (l *Link) Read(ctx context.Context, log, writer string, after, most int) ([]eventlog.Entry, bool, error) {
	if err := l.up(ctx); err != nil {
		return nil, false, err
	}
	entries, live := l.e.read(log, writer, after, most)
	return entries, live, nil
}

func (e *Events) write(writer string, live time.Duration, ops []eventlog.Op) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.logs == nil {
		e.logs, e.writers = map[string]*sharedLog{}, map[string]time.Time{}
	}
	e.writes++
	now := time.Now()
	e.writers[writer] = now.Add(live)
	for _, op := range ops {
		l := e.log(op.Log)
		switch {
		case op.Do == eventlog.Put && l == nil:
			l = &sharedLog{writer: writer}
			e.logs[op.Log] = l
			fallthrough
		case op.Do == eventlog.Put:
			l.until = now.Add(eventlog.Kept)
			if n := len(l.entries); n > 0 && op.Number <= l.entries[n-1].Number {
				continue // is there
			}
			l.entries = append(l.entries, eventlog.Entry{Number: op.Number, Data: slices.Clone(op.Data)})
			l.trim(op)
		case l == nil:
		case op.Do == eventlog.Trim:
			l.trim(op)
		case op.Do == eventlog.Keep:
			l.until = now.Add(eventlog.Kept)
		case op.Do == eventlog.Drop:
			delete(e.logs, op.Log)
		}
	}
}

func (l *sharedLog) trim(op eventlog.Op) {
	if over := len(l.entries) - int(op.Length()); over > 0 {
		l.entries = l.entries[over:]
	}
}

// log returns a log that is not too old. mu is held.
func (e *Events) log(key string) *sharedLog {
	l := e.logs[key]
	if l != nil && !time.Now().Before(l.until) {
		delete(e.logs, key)
		return nil
	}
	return l
}

func (e *Events) newest(key string) (last eventlog.Entry, writer string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l := e.log(key); l != nil {
		return l.entries[len(l.entries)-1], l.writer
	}
	return last, ""
}

func (e *Events) read(key, writer string, after, most int) (entries []eventlog.Entry, live bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.log(key)
	if l == nil {
		return nil, false
	}
	for _, entry := range l.entries {
		if entry.Number > after && len(entries) < most {
			entries = append(entries, entry)
		}
	}
	return entries, time.Now().Before(e.writers[writer])
}

// Alter lets change have every log's entries, to return others.
func (e *Events) Alter(change func([]eventlog.Entry) []eventlog.Entry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, l := range e.logs {
		if l.entries = change(l.entries); len(l.entries) == 0 {
			delete(e.logs, key)
		}
	}
}

// Held counts the logs, their entries, and how often something was written.
func (e *Events) Held() (logs, entries, writes int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key := range e.logs {
		if l := e.log(key); l != nil {
			logs++
			entries += len(l.entries)
		}
	}
	return logs, entries, e.writes
}
