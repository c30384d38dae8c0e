package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// machine is a machine with so much memory, whose processes use what they are said to.
type machine struct {
	mu   sync.Mutex
	free int64
	used map[int]int64
}

func (m *machine) Free() (int64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.free, true
}

func (m *machine) Used(pids []int) map[int]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	used := map[int]int64{}
	for _, pid := range pids {
		used[pid] = m.used[pid]
	}
	return used
}

func (m *machine) set(free int64, used map[int]int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free, m.used = free, used
}

// numbered gives processes in memory the numbers 1, 2, ….
type numbered struct {
	process.Process
	pid int
}

func (n numbered) PID() int { return n.pid }

func memoryBench(t *testing.T, m *machine) *bench {
	b := newBench(t, limits{memory: m})
	inner, last := b.server.Launch, 0
	b.server.Launch = func(ctx context.Context, caller any) (process.Process, error) {
		p, err := inner(ctx, caller)
		b.mu.Lock()
		defer b.mu.Unlock()
		last++
		return numbered{p, last}, err
	}
	return b
}

func TestSessionsAreAdmittedByMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{free: 1 << 30}
		b := memoryBench(t, m)
		first := b.open("a")
		b.processes()
		m.set(64<<20+150<<20, map[int]int64{1: 100 << 20})
		time.Sleep(2 * time.Second)
		second := b.open("b") // 150 MiB are left, and one needs 100
		_, err := b.table.Open(t.Context(), Opening{Server: b.server, Principal: "c"})
		var full *admission.FullError
		if !errors.As(err, &full) || !strings.Contains(err.Error(), "memory") {
			t.Fatalf("a third session: %v", err)
		}
		first.Leave() // idle now, so that it can go
		third, err := b.table.Open(t.Context(), Opening{Server: b.server, Principal: "c"})
		if err != nil || first.Alive() {
			t.Errorf("the idle session was not ended for a new one: %v", err)
		}
		second.Leave()
		third.Leave()
	})
}

func TestLargestProcessGoesBeforeMemoryRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{free: 1 << 30}
		b := memoryBench(t, m)
		small := b.open("small")
		b.processes()
		large := b.open("large")
		b.processes()
		m.set(12<<20, map[int]int64{1: 50 << 20, 2: 900 << 20})
		done := make(chan []string)
		go func() {
			got, _ := b.call(large, tool(1, "silent", ""))
			done <- got
		}()
		time.Sleep(3 * time.Second) // once, between two looks
		m.set(1<<30, nil)
		if got := <-done; len(got) != 1 || !strings.Contains(got[0], child.ReasonMemory) || !strings.Contains(got[0], "900 MiB") {
			t.Errorf("its call got %v", got)
		}
		if large.Alive() || !small.Alive() {
			t.Errorf("large lives: %v, small lives: %v", large.Alive(), small.Alive())
		}
		small.Leave()
		large.Leave()
	})
}
