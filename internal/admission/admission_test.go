package admission

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tenant is one whose state a test says.
type tenant struct {
	name    string
	since   time.Time // zero for in use
	working bool
	pid     int
	evicted bool
	ended   int64 // for this many bytes
}

func (t *tenant) Idle() (since time.Time, idle, working bool) {
	return t.since, !t.since.IsZero(), t.working
}
func (t *tenant) Evict()                 { t.evicted = true }
func (t *tenant) PID() int               { return t.pid }
func (t *tenant) OutOfMemory(used int64) { t.ended = used }

func key(server, principal string) Key { return Key{Server: server, Principal: principal} }

func TestLimitsAreOfPrincipalServerAndApp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		app    int
		limits Limits
		there  Key
		comes  Key
		full   string
	}{
		"principal":               {0, Limits{MaxPerPrincipal: 1}, key("s", "u"), key("s", "u"), "this caller has reached its limit"},
		"another principal":       {0, Limits{MaxPerPrincipal: 1}, key("s", "u"), key("s", "v"), ""},
		"principal, other server": {0, Limits{MaxPerPrincipal: 1}, key("s", "u"), key("t", "u"), ""},
		"nobody known":            {0, Limits{MaxPerPrincipal: 1}, key("s", ""), key("s", ""), ""},
		"server":                  {0, Limits{Max: 1}, key("s", "u"), key("s", "v"), "this server has"},
		"another server":          {0, Limits{Max: 1}, key("s", "u"), key("t", "u"), ""},
		"app":                     {1, Limits{}, key("s", "u"), key("t", "v"), "the app has"},
		"no limit":                {0, Limits{}, key("s", "u"), key("s", "u"), ""},
	} {
		c := New(tt.app, nil, 0, nil)
		defer c.Close()
		if victim, err := c.Admit(&tenant{}, tt.there, tt.limits, true); victim != nil || err != nil {
			t.Fatalf("%s: the first: %v, %v", name, victim, err)
		}
		_, err := c.Admit(&tenant{}, tt.comes, tt.limits, true)
		full, isFull := errors.AsType[*FullError](err)
		if isFull != (tt.full != "") || isFull && (!strings.Contains(full.What, tt.full) || full.Limit != 1 || full.RetryAfter == 0) {
			t.Errorf("%s: %v, want %q", name, err, tt.full)
		}
	}
}

func TestWhoMakesRoom(t *testing.T) {
	t.Parallel()
	now := time.Now()
	used, longest, short := &tenant{name: "used"}, &tenant{name: "longest", since: now.Add(-time.Hour)}, &tenant{name: "short", since: now}
	works := &tenant{name: "works", since: now.Add(-2 * time.Hour), working: true}
	c := New(4, nil, 0, nil)
	defer c.Close()
	for _, tn := range []*tenant{used, short, works, longest} {
		if _, err := c.Admit(tn, key("s", "u"), Limits{}, true); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []*tenant{longest, short, works} {
		victim, err := c.Admit(&tenant{}, key("s", "v"), Limits{}, true)
		if err != nil || victim != want {
			t.Fatalf("%v must go, %v; want %s", victim, err, want.name)
		}
		if err := c.Room(nil); err != nil {
			t.Errorf("while %s can go: %v", want.name, err)
		}
		want.since = time.Time{} // in use from now on
	}
	if victim, err := c.Admit(&tenant{}, key("s", "v"), Limits{}, true); err == nil {
		t.Errorf("while all are in use: %v", victim)
	}
	if c.Room(nil) == nil {
		t.Error("there is room while all are in use")
	}
	c.Vacate(used)
	if victim, err := c.Admit(&tenant{}, key("s", "v"), Limits{}, true); victim != nil || err != nil {
		t.Errorf("in the place of one that has gone: %v, %v", victim, err)
	}
	if n := len(c.tenants); n != 5 {
		t.Errorf("%d processes, want 5: one that has gone may yet have its own", n)
	}
	c.Remove(used)
	if n := len(c.tenants); n != 4 {
		t.Errorf("%d processes, want 4", n)
	}
	c.Refuse()
	if _, err := c.Admit(&tenant{}, key("s", "v"), Limits{}, true); err != ErrClosed || c.Room(nil) != ErrClosed {
		t.Errorf("after Refuse: %v, %v", err, c.Room(nil))
	}
}

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

func (m *machine) set(free int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free = free
}

func TestMemoryIsALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{free: 1 << 30, used: map[int]int64{1: 100 << 20}}
		c := New(0, m, 0, nil)
		defer c.Close()
		first := &tenant{pid: 1}
		admit := func(tn *tenant) (Tenant, error) {
			c.Measure()
			return c.Admit(tn, key("s", "u"), Limits{}, true)
		}
		if _, err := admit(first); err != nil {
			t.Fatal(err)
		}
		m.set(spareBytes + 150<<20)
		time.Sleep(measureEvery)
		if victim, err := admit(&tenant{}); victim != nil || err != nil {
			t.Errorf("150 MiB for 100: %v, %v", victim, err)
		}
		if _, err := admit(&tenant{}); err == nil || !strings.Contains(err.Error(), "memory") {
			t.Errorf("50 MiB for 100: %v", err)
		}
		first.since = time.Now()
		if victim, err := admit(&tenant{}); victim != first || err != nil {
			t.Errorf("with one idle: %v, %v", victim, err)
		}
		c.Vacate(first)
		if victim, err := admit(&tenant{}); victim != nil || err != nil {
			t.Errorf("in its place: %v, %v", victim, err)
		}
	})
}

func TestLargestProcessGoesBeforeMemoryRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{free: 1 << 30, used: map[int]int64{1: 100, 2: 300, 3: 200}}
		c := New(0, m, 0, nil)
		defer c.Close()
		var all []*tenant
		for pid := range 4 { // the first has no process
			all = append(all, &tenant{pid: pid})
			c.Admit(all[pid], key("s", "u"), Limits{}, true)
		}
		time.Sleep(2*watchEvery + time.Second) // between two looks
		m.set(lastBytes)
		time.Sleep(watchEvery)
		m.set(1 << 30)
		synctest.Wait()
		for pid, tn := range all {
			if want := map[int]int64{2: 300}[pid]; tn.ended != want {
				t.Errorf("process %d was ended for %d bytes, want %d", pid, tn.ended, want)
			}
		}
	})
}

func TestClockCallsBackWhenNobodyIsInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var checks []time.Duration
		done := 0
		c := NewClock(&mu, func(idle time.Duration) (time.Duration, func()) {
			checks = append(checks, idle)
			if idle < 3*time.Second {
				return time.Second, nil
			}
			return 0, func() {
				mu.Lock()
				defer mu.Unlock()
				done++
			}
		})
		locked := func(f func()) {
			mu.Lock()
			defer mu.Unlock()
			f()
		}
		locked(c.EnterLocked)
		locked(c.EnterLocked)
		locked(func() {
			if c.LeaveLocked() {
				t.Error("somebody is inside")
			}
			c.ArmLocked(time.Second) // which is not set
		})
		time.Sleep(time.Minute)
		locked(func() {
			if !c.LeaveLocked() {
				t.Error("nobody is inside")
			}
			c.ArmLocked(2 * time.Second)
		})
		time.Sleep(time.Minute)
		locked(func() {
			if len(checks) != 2 || checks[0] != 2*time.Second || checks[1] != 3*time.Second || done != 1 {
				t.Errorf("checked after %v, done %d times", checks, done)
			}
			c.EnterLocked()
			c.LeaveLocked()
			c.ArmLocked(time.Second)
			c.EnterLocked() // before it fires
		})
		time.Sleep(time.Minute)
		locked(func() {
			if len(checks) != 2 || c.InsideLocked() != 1 {
				t.Errorf("checked while somebody was inside: %v", checks)
			}
		})
	})
}

func TestReserveIsNoTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const reserve = 128 << 20
		m := &machine{free: 1 << 30, used: map[int]int64{1: 100 << 20}}
		c := New(0, m, reserve, nil)
		defer c.Close()
		for _, free := range []struct {
			bytes int64
			fits  bool
		}{{1 << 30, true}, {spareBytes + reserve + 100<<20, true}, {spareBytes + reserve + 99<<20, false}} {
			m.set(free.bytes)
			time.Sleep(measureEvery)
			c.Measure()
			tn := &tenant{pid: 1}
			_, err := c.Admit(tn, key("s", "u"), Limits{}, true)
			if (err == nil) != free.fits {
				t.Errorf("%d MiB free: %v", free.bytes>>20, err)
			}
		}
	})
}

// reserve is processes that were started ahead.
type reserve struct{ left int }

func (r *reserve) Holds() bool { return r.left > 0 }

func (r *reserve) Shed() (string, bool) {
	if r.left == 0 {
		return "", false
	}
	r.left--
	return "s", true
}

func TestThereIsNoRoomWhileNoServerFits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{free: 1 << 30, used: map[int]int64{1: 100 << 20, 2: 200 << 20}}
		spare := &reserve{}
		c := New(0, m, 0, spare)
		defer c.Close()
		small, large := &tenant{pid: 1}, &tenant{pid: 2}
		for server, tn := range map[string]*tenant{"small": small, "large": large} {
			if _, err := c.Admit(tn, key(server, "u"), Limits{}, true); err != nil {
				t.Fatal(err)
			}
		}
		c.Measure()
		both := []string{"large", "small"}
		for _, tt := range []struct {
			free    int64
			servers []string
			held    int
			idle    time.Time
			room    bool
		}{
			{free: 300 << 20, servers: both, room: true},
			{free: spareBytes + 100<<20, servers: both, room: true},
			{free: spareBytes + 100<<20, servers: []string{"large"}},
			{free: spareBytes + 99<<20, servers: both},
			{free: spareBytes + 99<<20, servers: both, held: 1, room: true},
			{free: spareBytes + 99<<20, servers: both, idle: time.Now(), room: true},
		} {
			m.set(tt.free)
			spare.left, large.since = tt.held, tt.idle
			time.Sleep(measureEvery)
			if err := c.Room(tt.servers); (err == nil) != tt.room || spare.left != tt.held {
				t.Errorf("%+v: %v, with %d processes left", tt, err, spare.left)
			}
		}
	})
}

// Who has no process needs the memory of none until it gets one, and makes no room by going.
func TestIdleTenantsNeedNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{free: 1 << 30, used: map[int]int64{1: 100 << 20}}
		spare := &reserve{left: 1}
		c := New(0, m, 0, spare)
		defer c.Close()
		first := &tenant{pid: 1}
		if _, err := c.Admit(first, key("s", "u"), Limits{}, true); err != nil {
			t.Fatal(err)
		}
		c.Measure()
		m.set(spareBytes + 50<<20)
		time.Sleep(measureEvery)
		c.Measure()
		idle, other := &tenant{since: time.Now()}, &tenant{}
		for _, tn := range []*tenant{idle, other} {
			if victim, err := c.Admit(tn, key("s", "u"), Limits{}, false); victim != nil || err != nil {
				t.Fatalf("without a process: %v, %v", victim, err)
			}
		}
		if victim, err := c.Start(other); victim != nil || err != nil || spare.left != 0 {
			t.Errorf("with one that was started ahead to go: %v, %v, %d left", victim, err, spare.left)
		}
		third := &tenant{}
		if _, err := c.Admit(third, key("s", "u"), Limits{}, false); err != nil {
			t.Fatal(err)
		}
		if victim, err := c.Start(third); victim != nil || err == nil {
			t.Errorf("while nobody with a process is idle: %v, %v", victim, err)
		}
		first.since = time.Now()
		if victim, err := c.Start(third); victim != first || err != nil {
			t.Errorf("with one idle: %v, %v", victim, err)
		}
		c.Remove(first)
		if victim, err := c.Start(third); victim != nil || err != nil {
			t.Errorf("in its place: %v, %v", victim, err)
		}
		if victim, err := c.Start(third); victim != nil || err != nil {
			t.Errorf("once more: %v, %v", victim, err)
		}
		if victim, err := c.Admit(&tenant{}, key("s", "u"), Limits{Max: 3}, false); victim != idle || err != nil {
			t.Errorf("by number: %v, %v, want the one that is idle", victim, err)
		}
		c.Refuse()
		if _, err := c.Start(idle); err != ErrClosed {
			t.Errorf("after Refuse: %v", err)
		}
	})
}

// Unused processes end before the kernel would choose one, and before any session.
func TestProcessesStartedAheadGoFirst(t *testing.T) {
	for _, ahead := range []int{1, 0} {
		synctest.Test(t, func(t *testing.T) {
			spare := &reserve{left: ahead}
			m := &machine{free: lastBytes, used: map[int]int64{1: 100 << 20}}
			c := New(0, m, 0, spare)
			defer c.Close()
			tn := &tenant{pid: 1}
			if _, err := c.Admit(tn, key("s", "u"), Limits{}, true); err != nil {
				t.Fatal(err)
			}
			time.Sleep(watchEvery)
			synctest.Wait()
			if spare.left != 0 || (tn.ended != 0) != (ahead == 0) {
				t.Errorf("of %d unused processes %d are left, and a session was ended: %v", ahead, spare.left, tn.ended != 0)
			}
		})
	}
}
