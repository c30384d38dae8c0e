package admission

import (
	"context"
	"maps"
	"slices"
	"sync"
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
// found to use. Of a server that has none yet nothing is known, and it may start.
type memory struct {
	source  Memory // nil: everything fits
	reserve int64  // bytes that stay for others than the app

	mu    sync.Mutex
	at    time.Time // of the last measurement
	free  int64     // then, less what was started since
	known bool
	need  map[string]int64 // the most that a process of a server was found to use
}

func newMemory(source Memory, reserve int64) *memory {
	return &memory{source: source, reserve: reserve, need: map[string]int64{}}
}

// refresh measures what there is, unless that was done a moment ago. pids lists the processes by server;
// it is called without a lock.
func (m *memory) refresh(pids func() map[string][]int) {
	if m.source != nil && m.stale() {
		m.measure(pids())
	}
}

// stale reports whether it is time to measure. It says so to one.
func (m *memory) stale() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.at) < measureEvery {
		return false
	}
	m.at = time.Now()
	return true
}

// fits reports whether so many processes of server fit.
func (m *memory) fits(server string, processes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.known || m.free >= processes*m.need[server]+spareBytes+m.reserve
}

// short reports whether the app itself is about to lack memory.
func (m *memory) short() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known && m.free < spareBytes/2
}

func (m *memory) measure(byServer map[string][]int) {
	free, ok := m.source.Free()
	used := m.source.Used(slices.Concat(slices.Collect(maps.Values(byServer))...))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free, m.known = free, ok
	for server, pids := range byServer {
		for _, pid := range pids {
			m.need[server] = max(m.need[server], used[pid])
		}
	}
}

// opened takes what a process of server will use from what is free, until it is measured again.
func (m *memory) opened(server string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free -= m.need[server]
}

// ended gives it back.
func (m *memory) ended(server string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free += m.need[server]
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
		if free, ok := c.memory.source.Free(); !ok || free > lastBytes {
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

// largest returns the tenant whose process uses the most memory, and how much that is.
func (c *Controller) largest() (largest Tenant, most int64) {
	tenants := map[int]Tenant{}
	c.mu.Lock()
	for t := range c.tenants {
		if pid := t.PID(); pid > 0 {
			tenants[pid] = t
		}
	}
	c.mu.Unlock()
	for pid, used := range c.memory.source.Used(slices.Collect(maps.Keys(tenants))) {
		if used > most {
			largest, most = tenants[pid], used
		}
	}
	return largest, most
}
