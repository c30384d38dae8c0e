package session

import "github.com/mcpfunc/mcpfunc/internal/watch"

// watched lets rec, which may be nil, hear of the run from its start on.
func (r *run) watched(rec *watch.Recorder) {
	if r.rec = rec; rec == nil {
		return
	}
	rec.Started(r.pid())
	c := r.stderr
	c.mu.Lock()
	c.rec = rec
	said := append([]string(nil), c.tail...) // of a process that was started ahead
	c.mu.Unlock()
	for _, line := range said {
		rec.Stderr(line)
	}
}
