package process

import (
	"strconv"
	"sync"
	"time"
)

// shares says how much memory processes take up where pages that several have in common are counted once: each
// has its part of them (PSS, proc_pid_smaps_rollup(5)). To add it up the kernel walks all pages of a process, a
// fraction of a millisecond per 100 MB, so that few are asked at a time. In between, and of those that may not be
// asked, it is reckoned by the resident set, which costs nothing and counts shared pages for each.
type shares struct {
	mu    sync.Mutex
	known map[shareKey]share
}

type shareKey struct {
	pid     int
	started int64
}

type share struct {
	bytes, resident int64
	at              time.Time
}

const (
	shareFresh = 10 * time.Second      // for which what was read counts, if the resident set is much the same
	shareReads = 16                    // at a time, at most
	shareTime  = 10 * time.Millisecond // for reading, at a time; one read may go over
	shareGone  = 5 * time.Minute       // after which what was read is forgotten
)

// measure returns how much each of these processes takes up.
func (s *shares) measure(all []process) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[shareKey]share{}
	}
	now := time.Now()
	for key, k := range s.known {
		if now.Sub(k.at) > shareGone {
			delete(s.known, key)
		}
	}
	sizes := make([]int64, len(all))
	reads := 0
	for i, p := range all {
		key := shareKey{p.pid, p.started}
		k, ok := s.known[key]
		stale := !ok || now.Sub(k.at) > shareFresh || max(p.resident-k.resident, k.resident-p.resident) > k.resident/8
		if stale && reads < shareReads && time.Since(now) < shareTime {
			reads++
			if n, read := proportional(p.pid); read {
				k = share{n, p.resident, now}
				s.known[key], ok = k, true
			}
		}
		sizes[i] = p.resident
		if ok && k.resident > 0 {
			sizes[i] = min(p.resident, max(0, k.bytes+p.resident-k.resident)) // what has come since is its own
		}
	}
	return sizes
}

// proportional reads the proportional set size of a process; ok is false where it may not be read.
func proportional(pid int) (size int64, ok bool) {
	kib, ok := figure(read("/proc/"+strconv.Itoa(pid)+"/smaps_rollup", make([]byte, 4<<10)), "Pss:")
	return kib << 10, ok
}
