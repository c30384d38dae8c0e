package backplane

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
)

// The events of streams. A log is one Redis stream whose entries have the ids that their numbers give
// them, so that one that is written twice is refused, and one that is missing is seen. The name of its
// only field is the writer's, the value is what is sealed. Commands are those of Redis 5: trimming
// from an id on came later, and since entries have no gaps, counting them from the newest does the same.

const (
	eventsPrefix = "mcpfunc:events:" // and the key of the log
	writerPrefix = "mcpfunc:writer:" // and the writer's name, while it lives; the value says nothing
)

var _ eventlog.Store = (*Store)(nil)

// Write says that writer is alive for as long as live says, and does what ops say, in one round trip.
// See eventlog.Store.
func (s *Store) Write(ctx context.Context, writer string, live time.Duration, ops []eventlog.Op) error {
	done, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		if live > 0 {
			p.Set(ctx, writerPrefix+writer, "", live)
		}
		fresh := map[string]bool{} // logs that are to be kept from now on
		for _, op := range ops {
			key := eventsPrefix + op.Log
			switch op.Do {
			case eventlog.Put:
				p.XAdd(ctx, &redis.XAddArgs{Stream: key, ID: entryID(op.Number), MaxLen: op.Length(), Values: []any{writer, op.Data}})
				fresh[key] = true
			case eventlog.Trim:
				p.XTrimMaxLen(ctx, key, op.Length())
			case eventlog.Keep:
				fresh[key] = true
			case eventlog.Drop:
				p.Del(ctx, key)
			}
		}
		for key := range fresh {
			p.PExpire(ctx, key, eventlog.Kept)
		}
		if live == 0 && !s.server.cluster {
			p.Del(ctx, writerPrefix+writer)
		}
		return nil
	})
	for _, cmd := range done {
		if e := cmd.Err(); e != nil && !isThere(e) {
			return fmt.Errorf("write events to Redis: %w", e)
		}
	}
	if len(done) == 0 && err != nil {
		return fmt.Errorf("write events to Redis: %w", err)
	}
	if live == 0 && s.server.cluster { // whose nodes do what they are told at the same time
		if err := s.client.Del(ctx, writerPrefix+writer).Err(); err != nil {
			return fmt.Errorf("write events to Redis: %w", err)
		}
	}
	return nil
}

// isThere reports whether an entry was refused because its log has come as far already: it was written
// by a try whose answer got lost.
func isThere(err error) bool {
	return strings.Contains(err.Error(), "equal or smaller than the target stream")
}

// Newest returns the last entry of a log and who writes it. See eventlog.Store.
func (s *Store) Newest(ctx context.Context, log string) (e eventlog.Entry, writer string, err error) {
	last, err := s.client.XRevRangeN(ctx, eventsPrefix+log, "+", "-", 1).Result()
	if err != nil {
		return e, "", fmt.Errorf("read events from Redis: %w", err)
	}
	if len(last) == 0 {
		return e, "", nil
	}
	return entryOf(last[0])
}

// Read returns entries after a number, and whether there is more to come. See eventlog.Store.
func (s *Store) Read(ctx context.Context, log, writer string, after, most int) (entries []eventlog.Entry, live bool, err error) {
	var alive, kept *redis.IntCmd
	var found *redis.XMessageSliceCmd
	if s.server.cluster { // whose nodes answer at the same time
		alive = s.client.Exists(ctx, writerPrefix+writer)
	}
	_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		if alive == nil { // before the entries: an instance that is gone then wrote nothing after them
			alive = p.Exists(ctx, writerPrefix+writer)
		}
		kept = p.Exists(ctx, eventsPrefix+log)
		found = p.XRangeN(ctx, eventsPrefix+log, entryID(after+1), "+", int64(most))
		return nil
	})
	if err = cmp.Or(err, alive.Err()); err != nil {
		return nil, false, fmt.Errorf("read events from Redis: %w", err)
	}
	for _, m := range found.Val() {
		e, _, err := entryOf(m)
		if err != nil {
			return nil, false, err
		}
		entries = append(entries, e)
	}
	return entries, alive.Val()+kept.Val() == 2, nil
}

// entryID is the id of an entry in its Redis stream. Zero, which Redis gives to none, is the number of
// the entry that opens most logs, so that it is not the number alone.
func entryID(number int) string { return strconv.Itoa(number) + "-1" }

func entryOf(m redis.XMessage) (e eventlog.Entry, writer string, err error) {
	number, ok := strings.CutSuffix(m.ID, "-1")
	e.Number, err = strconv.Atoi(number)
	for name, value := range m.Values {
		if text, isText := value.(string); isText {
			writer, e.Data = name, []byte(text)
		}
	}
	if !ok || err != nil || len(m.Values) != 1 || writer == "" {
		return eventlog.Entry{}, "", fmt.Errorf("read events from Redis: entry %q is not ours", m.ID)
	}
	return e, writer, nil
}
