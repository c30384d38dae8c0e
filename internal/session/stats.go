package session

// Stats are the figures of a Table.
type Stats struct {
	Sessions  int   // that clients can reach
	Processes int   // alive, starting or ending
	Opened    int64 // since the start
	Ended     int64
	Restarts  int64          // of processes within their session
	Evicted   int64          // sessions ended to make room
	Refused   int64          // for want of room
	Servers   map[string]int // sessions, by server

	Resurrected int64 // of those opened: sessions that were on another instance, or slept
	Hibernated  int   // sessions that sleep here; they are not among Sessions
}

// Stats returns the figures of now.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	st := Stats{
		Sessions: len(t.sessions), Processes: len(t.alive) + t.pools.alive(), Servers: map[string]int{},
		Opened: t.count.opened.Load(), Ended: t.count.ended.Load(), Restarts: t.count.restarts.Load(),
		Evicted: t.count.evicted.Load(), Refused: t.count.refused.Load(),
		Resurrected: t.count.resurrected.Load(), Hibernated: t.past.asleep(),
	}
	for k := range t.sessions {
		st.Servers[k.Server]++
	}
	return st
}
