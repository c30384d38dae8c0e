package session

import (
	"fmt"
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
	source Memory // nil: everything fits

	mu    sync.Mutex
	at    time.Time // of the last measurement
	free  int64     // then, less what was started since
	known bool
	need  map[string]int64 // the most that a process of a server was found to use
}

func newMemory(source Memory) *memory { return &memory{source: source, need: map[string]int64{}} }

// fits reports whether a process of server fits. pids lists the processes by server; it is called
// without a lock.
func (m *memory) fits(server string, pids func() map[string][]int) bool {
	if m.source == nil {
		return true
	}
	m.mu.Lock()
	stale := time.Since(m.at) >= measureEvery
	if stale {
		m.at = time.Now() // and nobody else measures at the same time
	}
	m.mu.Unlock()
	if stale {
		m.measure(pids())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.known || m.free >= m.need[server]+spareBytes
}

func (m *memory) measure(byServer map[string][]int) {
	free, ok := m.source.Free()
	var all []int
	for _, pids := range byServer {
		all = append(all, pids...)
	}
	used := m.source.Used(all)
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

// watchMemory ends the process that uses the most, with its session, when the machine is about to run out, so
// that it goes alone: the kernel might choose the app. It returns when the table closes.
func (t *Table) watchMemory() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-tick.C:
		}
		if free, ok := t.memory.source.Free(); !ok || free > lastBytes {
			continue
		}
		if end, used := t.largest(); end != nil {
			end(&Failure{
				Text:   fmt.Sprintf("the server was stopped because the instance is out of memory, and it used the most: %d MiB", used>>20),
				Reason: ReasonMemory,
			})
		}
	}
}

// largest returns what ends the process that uses the most memory, and how much that is.
func (t *Table) largest() (end func(*Failure), most int64) {
	ends := map[int]func(*Failure){}
	t.mu.Lock()
	for s := range t.alive {
		if pid := int(s.pid.Load()); pid > 0 && s.Alive() {
			ends[pid] = s.end
		}
	}
	t.mu.Unlock()
	t.pools.ends(ends)
	for pid, used := range t.memory.source.Used(slices.Collect(maps.Keys(ends))) {
		if used > most {
			end, most = ends[pid], used
		}
	}
	return end, most
}
