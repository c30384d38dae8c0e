package child

import (
	"maps"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/process"
)

// Shed ends a prewarmed process that no session has taken, of the server that has the most of
// them, and returns its name; ok is false if no process is spare. It does not wait: Close does.
func (s *Starter) Shed() (server string, ok bool) {
	sp := s.fullest()
	if sp == nil {
		return "", false
	}
	spare := sp.drop()
	if spare == nil {
		return "", false
	}
	evicted := s.background(func() {
		s.log.Info("prewarmed process evicted", "server", sp.spec.Name)
		process.Stop(spare.p, spare.gone, sp.spec.Grace)
	})
	if !evicted {
		spare.p.Kill() // the app ends
	}
	return sp.spec.Name, true
}

// Holds reports whether there is a process that Shed would end.
func (s *Starter) Holds() bool { return s.fullest() != nil }

// fullest returns the spares of the server that has the most; nil if no server has any.
func (s *Starter) fullest() (fullest *spares) {
	most := 0
	for _, sp := range s.allSpares() {
		if n := sp.count(); n > most {
			fullest, most = sp, n
		}
	}
	return fullest
}

func (s *Starter) allSpares() []*spares {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.spares))
}

func (sp *spares) count() int {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return len(sp.ready)
}

// drop takes the newest out, or returns nil.
func (sp *spares) drop() *running {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	n := len(sp.ready)
	if n == 0 {
		return nil
	}
	s := sp.ready[n-1]
	sp.ready = sp.ready[:n-1]
	return s
}
