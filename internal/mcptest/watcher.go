package mcptest

import (
	"slices"
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/secret"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// A Watcher keeps what a hub reports: a line per report of each session, in their order.
type Watcher struct {
	Hub *watch.Hub

	mu       sync.Mutex
	sessions []*watched
}

type watched struct {
	of    *Watcher
	pool  bool
	lines []string
}

// NewWatcher returns a Watcher with its hub.
func NewWatcher(secrets *secret.Redactor) *Watcher {
	w := &Watcher{}
	w.Hub = watch.New(watch.Options{Secrets: secrets, Sink: w})
	return w
}

// Lines returns what was reported of the nth session, beginning with 0.
func (w *Watcher) Lines(n int) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sessions[n].lines)
}

// Pool reports whether the nth session is a process of a pool.
func (w *Watcher) Pool(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sessions[n].pool
}

// Open implements watch.Sink.
func (w *Watcher) Open(_, _ string, pool bool) watch.SessionSink {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &watched{of: w, pool: pool}
	w.sessions = append(w.sessions, s)
	return s
}

// Close implements watch.Sink.
func (w *Watcher) Close() {}

func (s *watched) add(line string) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.lines = append(s.lines, line)
}

func (s *watched) Started(int)       { s.add("process started") }
func (s *watched) Stderr(string)     {}
func (s *watched) Exited(how string) { s.add("process ended: " + how) }
func (s *watched) Ended(why string)  { s.add("ended: " + why) }
func (s *watched) Message(m watch.Message, _ *message.Message, _ int) {
	s.add(m.From + " " + m.Kind + " " + m.Method)
}
