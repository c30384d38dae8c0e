//go:build e2e

package backplane

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
)

func put(log string, number, first int) eventlog.Op {
	return eventlog.Op{Do: eventlog.Put, Log: log, Number: number, First: first, Data: fmt.Appendf(nil, "\x00sealed\r\n%d", number)}
}

func write(t *testing.T, i *instance, live time.Duration, ops ...eventlog.Op) {
	t.Helper()
	if err := i.Store.Write(t.Context(), "W", live, ops); err != nil {
		t.Fatal(err)
	}
}

// read returns the numbers of what there is after one, and whether more may come.
func read(t *testing.T, i *instance, log string, after int) (numbers []int, live bool) {
	t.Helper()
	entries, live, err := i.Read(t.Context(), log, "W", after, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if want := string(put(log, e.Number, 0).Data); string(e.Data) != want {
			t.Errorf("entry %d holds %q", e.Number, e.Data)
		}
		numbers = append(numbers, e.Number)
	}
	return numbers, live
}

func TestEventsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a, b := redis.instance(t), redis.instance(t)
	if e, writer, err := b.Newest(t.Context(), "log"); writer != "" || err != nil {
		t.Errorf("of a log that is not there: %v, %q, %v", e, writer, err)
	}
	write(t, a, time.Minute, put("log", 0, 0))
	if e, writer, err := b.Newest(t.Context(), "log"); e.Number != 0 || writer != "W" || err != nil {
		t.Errorf("of a log with nothing in it: %v, %q, %v", e, writer, err)
	}
	if got, live := read(t, b, "log", 0); got != nil || !live {
		t.Errorf("and then: %v, live %t", got, live)
	}
	write(t, a, time.Minute, put("log", 1, 1), put("other", 8, 8), put("log", 2, 1), put("log", 3, 1))
	write(t, a, time.Minute, put("log", 2, 1), put("log", 3, 1), put("log", 4, 2)) // whose first try was answered too late
	if got, live := read(t, b, "log", 1); !slices.Equal(got, []int{2, 3, 4}) || !live {
		t.Errorf("after 1: %v, live %t", got, live)
	}
	if got, _ := read(t, b, "log", 0); !slices.Equal(got, []int{2, 3, 4}) {
		t.Errorf("of what is worth keeping: %v", got)
	}
	if some, _, err := b.Read(t.Context(), "log", "W", 0, 2); len(some) != 2 || err != nil {
		t.Errorf("%d entries, want no more than were asked for: %v", len(some), err)
	}
	write(t, a, time.Minute, eventlog.Op{Do: eventlog.Trim, Log: "log", Number: 4, First: 5}, eventlog.Op{Do: eventlog.Drop, Log: "other"},
		eventlog.Op{Do: eventlog.Trim, Log: "none", Number: 4, First: 5}, eventlog.Op{Do: eventlog.Keep, Log: "none"})
	if got, _ := read(t, b, "log", 0); !slices.Equal(got, []int{4}) {
		t.Errorf("after trimming: %v, want the newest", got)
	}
	if got, live := read(t, b, "other", 0); got != nil || live {
		t.Errorf("of a log that was dropped: %v, live %t", got, live)
	}
	write(t, a, 0, put("log", 5, 5))
	if got, live := read(t, b, "log", 4); !slices.Equal(got, []int{5}) || live {
		t.Errorf("when the writer has ended: %v, live %t", got, live)
	}
}

func TestRedisForgetsLogsAndWriters(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a := redis.instance(t)
	write(t, a, 300*time.Millisecond, put("log", 1, 1))
	eventually(t, "the writer is dead", func() bool { _, live := read(t, a, "log", 0); return !live })
	c := redis.client(t)
	key := eventsPrefix + "log"
	if ttl := c.PTTL(t.Context(), key).Val(); ttl <= eventlog.Kept-time.Minute || ttl > eventlog.Kept {
		t.Errorf("the log is kept for %v, want %v", ttl, eventlog.Kept)
	}
	c.PExpire(t.Context(), key, time.Second)
	write(t, a, time.Minute, eventlog.Op{Do: eventlog.Keep, Log: "log"})
	if ttl := c.PTTL(t.Context(), key).Val(); ttl < time.Minute {
		t.Errorf("a log that is to be kept is kept for %v", ttl)
	}
}

func TestEventsThatAreNotOursAreNotRead(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a, c := redis.instance(t), redis.client(t)
	if err := c.Do(t.Context(), "XADD", eventsPrefix+"log", "1-2", "a", "b").Err(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Newest(t.Context(), "log"); err == nil || !strings.Contains(err.Error(), `"1-2" is not ours`) {
		t.Errorf("got %v", err)
	}
	if err := c.Set(t.Context(), eventsPrefix+"word", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := a.Store.Write(t.Context(), "W", time.Minute, []eventlog.Op{put("word", 1, 1)}); err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("got %v", err)
	}
}

func TestEventsAreNotWrittenWhileRedisIsDown(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a := redis.instance(t)
	redis.Stop()
	err := a.Store.Write(t.Context(), "W", time.Minute, []eventlog.Op{put("log", 1, 1)})
	_, _, newest := a.Newest(t.Context(), "log")
	_, _, read := a.Read(t.Context(), "log", "W", 0, 1)
	if err == nil || newest == nil || read == nil {
		t.Errorf("got %v, %v, %v, want errors", err, newest, read)
	}
	redis.Start(t)
	eventually(t, "they are", func() bool { // the client waits a second after a failure to connect
		return a.Store.Write(t.Context(), "W", time.Minute, []eventlog.Op{put("log", 1, 1)}) == nil
	})
}
