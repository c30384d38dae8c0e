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

// The log of a stream's events is one Redis stream. An entry's ID is derived from its number, so that Redis refuses an
// entry that is written twice, and a reader notices a missing one. The name of an entry's only field is the writer's, and
// its value is the sealed event. The commands are part of Redis 5, which cannot trim from an ID on; because entries do not
// have gaps, trimming to a length does the same.

const (
	eventsPrefix = "mcpfunc:events:" // and the key of the log
	writerPrefix = "mcpfunc:writer:" // and the name of a writer that is alive; the value is empty
)

var _ eventlog.Store = (*Store)(nil)

// Write reports that writer is alive for the time live, and performs ops, in one round trip. See eventlog.Store.
func (s *Store) Write(ctx context.Context, writer string, live time.Duration, ops []eventlog.Op) error {
	p := s.client.Pipeline()
	if live > 0 {
		p.Set(ctx, writerPrefix+writer, "", live)
	}
	fresh := map[string]bool{} // logs whose expiry starts again
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
	done, err := p.Exec(ctx)
	for _, cmd := range done {
		if e := cmd.Err(); e != nil && !isThere(e) {
			return fmt.Errorf("write events to Redis: %w", e)
		}
	}
	if len(done) == 0 && err != nil {
		return fmt.Errorf("write events to Redis: %w", err)
	}
	if live == 0 && s.server.cluster { // nodes of a cluster work at the same time
		if err := s.client.Del(ctx, writerPrefix+writer).Err(); err != nil {
			return fmt.Errorf("write events to Redis: %w", err)
		}
	}
	return nil
}

// isThere reports whether Redis refused an entry because its log has it: an earlier attempt wrote it, whose answer was lost.
func isThere(err error) bool {
	return strings.Contains(err.Error(), "equal or smaller than the target stream")
}

// Newest returns the last entry of a log and its writer. See eventlog.Store.
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

// Read returns entries after a number, and whether more may follow. See eventlog.Store.
func (s *Store) Read(ctx context.Context, log, writer string, after, most int) (entries []eventlog.Entry, live bool, err error) {
	var alive *redis.IntCmd
	if s.server.cluster { // nodes of a cluster answer at the same time
		alive = s.client.Exists(ctx, writerPrefix+writer)
	}
	p := s.client.Pipeline()
	if alive == nil { // before the entries: a writer that is gone then has written nothing after them
		alive = p.Exists(ctx, writerPrefix+writer)
	}
	kept := p.Exists(ctx, eventsPrefix+log)
	found := p.XRangeN(ctx, eventsPrefix+log, entryID(after+1), "+", int64(most))
	_, err = p.Exec(ctx)
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

// entryID returns the ID of an entry in its Redis stream. It has a suffix because the first number of most logs is zero,
// and Redis does not allow the ID 0.
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
