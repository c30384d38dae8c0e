package admission

import (
	"context"
	"maps"
	"slices"
	"time"
)

// A Memory says what processes use and what the machine has left.
type Memory interface {
	// Free is how many bytes may still be used. It reports false where that is not known.
	Free() (bytes int64, ok bool)
	// Used is what the processes with these ids use, with all that they started, in bytes by id.
	Used(pids []int) map[int]int64
}

const (
	measureEvery = time.Second
	watchEvery   = 2 * time.Second
	spareBytes   = 64 << 20 // that stay for the app itself
	lastBytes    = 24 << 20 // with less than that the largest process goes, before the kernel chooses one
)

// memory says whether there is memory for another process of a server, by what its processes were
// found to use. Of a server that has none yet nothing is known, and it may start. Its owner's lock guards it.
type memory struct {
	reserve int64     // bytes that stay for others than the app
	at      time.Time // of the last measurement
	free    int64     // then, less what was started since
	known   bool
	need    map[string]int64 // the most that a process of a server was found to use
}

func newMemory(reserve int64) memory { return memory{reserve: reserve, need: map[string]int64{}} }

// fits reports whether so many processes of server fit.
func (m *memory) fits(server string, processes int64) bool {
	return !m.known || m.free >= processes*m.need[server]+spareBytes+m.reserve
}

// short reports whether the app itself is about to lack memory.
func (m *memory) short() bool { return m.known && m.free < spareBytes/2 }

// opened takes what a process of server will use from what is free, until it is measured again.
func (m *memory) opened(server string) { m.free -= m.need[server] }

// ended gives it back.
func (m *memory) ended(server string) { m.free += m.need[server] }

// Measure finds out what memory there is, unless that was done a moment ago.
func (c *Controller) Measure() {
	if c.source == nil || !c.stale() {
		return
	}
	tenants := c.byPID()
	free, known := c.source.Free()
	used := c.source.Used(slices.Collect(maps.Keys(tenants)))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.memory.free, c.memory.known = free, known
	for pid, t := range tenants {
		if p := c.tenants[t]; p != nil {
			c.memory.need[p.key.Server] = max(c.memory.need[p.key.Server], used[pid])
		}
	}
}

// stale reports whether it is time to measure. It says so to one.
func (c *Controller) stale() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.memory.at) < measureEvery {
		return false
	}
	c.memory.at = time.Now()
	return true
}

// watchMemory ends the process that uses the most, with its tenant, when the machine is about to run out,
// so that it goes alone: the kernel might choose the app. It returns when ctx ends.
func (c *Controller) watchMemory(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if free, ok := c.source.Free(); !ok || free > lastBytes {
			continue
		}
		if c.shed() {
			continue
		}
		if t, used := c.largest(); t != nil {
			t.OutOfMemory(used)
		}
	}
}

// shed is shedLocked without the lock.
func (c *Controller) shed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shedLocked()
}

// largest returns the tenant whose process uses the most memory, and how much that is.
func (c *Controller) largest() (largest Tenant, most int64) {
	tenants := c.byPID()
	for pid, used := range c.source.Used(slices.Collect(maps.Keys(tenants))) {
		if used > most {
			largest, most = tenants[pid], used
		}
	}
	return largest, most
}
