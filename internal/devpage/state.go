package devpage

import "time"

// A state is what the page is told.
type state struct {
	Run       string        `json:"run"`
	Look      string        `json:"look"` // another one than the page's: it has to be loaded again
	Version   uint64        `json:"version"`
	Now       time.Time     `json:"now"`
	Started   time.Time     `json:"started"`
	Servers   []serverState `json:"servers"`
	Sessions  []Session     `json:"sessions"`
	Unwatched int           `json:"unwatched"`
	Shared    *Shared       `json:"shared,omitempty"`
	Tail      *Tail         `json:"tail"` // of the session that was asked for; nil if it is not there
}

type serverState struct {
	Name      string `json:"name"`
	State     string `json:"state"`         // "idle", "running", "failing"
	Why       string `json:"why,omitempty"` // it is failing
	Era       string `json:"era"`           // as configured, or as its processes said; empty: not known yet
	Command   string `json:"command"`
	Sessions  int    `json:"sessions"`
	Processes int    `json:"processes"`

	Drifted []string `json:"drifted,omitempty"` // tools that are not as they were packed
}

// now puts together what is known, with the end of one session.
func (p *Page) now(session, message, line uint64) state {
	view := p.opts.History.view()
	s := state{
		Run: p.run, Look: p.look, Version: view.Version, Now: time.Now(), Started: p.opts.Started, Unwatched: view.Unwatched,
		Sessions: view.Sessions,
	}
	if p.opts.Shared != nil {
		shared := p.opts.Shared()
		s.Shared = &shared
	}
	var pids []int
	for _, about := range view.Sessions {
		if about.PID > 0 {
			pids = append(pids, about.PID)
		}
	}
	memory := p.opts.Memory(pids)
	for i, about := range view.Sessions {
		s.Sessions[i].Memory = memory[about.PID]
	}
	for _, server := range p.opts.Servers {
		now := serverState{Name: server.Name, State: "idle", Era: era(server.Era), Command: server.Command}
		if server.Drifted != nil {
			now.Drifted = server.Drifted()
		}
		for _, about := range view.Sessions {
			if about.Server == server.Name {
				now.add(about)
			}
		}
		s.Servers = append(s.Servers, now)
	}
	if tail, ok := p.opts.History.tail(session, message, line); ok {
		s.Tail = &tail
	}
	return s
}

// add counts a session, of which the newest comes last.
func (s *serverState) add(about Session) {
	if about.Protocol != "" && s.Era == "" {
		s.Era = "up to " + about.Protocol
	}
	if about.Ended == nil && !about.Pool {
		s.Sessions++
	}
	switch {
	case about.PID > 0:
		s.Processes++
		s.State, s.Why = "running", ""
	case about.Protocol == "" && about.Why != "" && !about.Pool:
		if s.Processes == 0 { // its last word before anyone could talk to it
			s.State, s.Why = "failing", about.Why
		}
	case s.Processes == 0:
		s.State, s.Why = "idle", ""
	}
}

func era(configured string) string {
	switch configured {
	case "legacy":
		return "sessions"
	case "modern":
		return "2026-07-28"
	case "both":
		return "sessions, 2026-07-28"
	}
	return ""
}
