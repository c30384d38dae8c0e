package process

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// system is a Supervisor's hold on what children leave behind: it finds those whose child is gone, by a
// tier, and kills them.
type system struct {
	supervisor *Supervisor
	walls      *walls
	marks      *marks
	guard      guard
	folders    folders
	terminal   bool // see hasTerminal

	mu     sync.Mutex
	tier   tier
	closed bool
	giveUp func() // makes the process no sub-reaper; nil if it was not made one
	oom    int64  // what oomKills said at oomAt
	oomAt  time.Time

	wake chan struct{} // something ended; capacity 1
	stop chan struct{}
	done chan struct{} // the sweeper has returned
	once sync.Once     // starts the sweeper

	sockets lookout[heldSockets] // for those of connections
	clients clients              // that connections came from
}

func (s *system) open(sup *Supervisor) {
	s.supervisor = sup
	s.walls = newWalls()
	s.terminal = hasTerminal()
	s.marks = newMarks()
	s.folders = newFolders(s.marks.prefix())
	s.guard = guard{shell: guardShell, nonce: s.marks.prefix(), folder: s.folders.root, log: sup.log, groups: map[int]bool{}}
	s.tier = &marked{marks: s.marks}
	s.wake, s.stop, s.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
}

func (s *system) takeProcess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.giveUp != nil {
		return
	}
	s.guard.allow()
	giveUp, err := becomeSubreaper()
	if err != nil {
		s.supervisor.log.Warn("cannot become a sub-reaper", "error", err)
		return
	}
	own := adopted{marked: marked{marks: s.marks}}
	s.tier, s.giveUp = &own, giveUp
	if s.walls.filter != nil && s.marks.pin() {
		s.tier = &pinned{own}
	}
}

func (s *system) currentTier() tier {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tier
}

func (s *system) isolation() string {
	means := []string{"process group", "parent-death signal", "mark"}
	switch s.currentTier().(type) {
	case *adopted:
		means = append(means, "sub-reaper")
	case *pinned:
		means[2] = "pinned mark"
		means = append(means, "sub-reaper")
	}
	if s.guard.allowed() {
		means = append(means, "guard")
	}
	if s.walls.filter != nil {
		means = append(means, "seccomp")
	}
	switch abi := s.walls.abi; {
	case abi == 0:
		return strings.Join(means, ", ") + "; no Landlock: children can read each other's environment"
	case abi < 6:
		means = append(means, fmt.Sprintf("Landlock (ABI %d: no signal scope)", abi))
	default:
		means = append(means, fmt.Sprintf("Landlock (ABI %d)", abi))
	}
	return strings.Join(means, ", ")
}

// limitation tells of the kernels 5.13 to 5.18: see newRuleset. Programs that copy where they cannot
// move, as mv does, get on with it; package runners fail while they install.
func (s *system) limitation() (text, hint string) {
	if s.walls.abi != 1 {
		return "", ""
	}
	return "on this kernel (Landlock ABI 1), isolated processes cannot move or link a file from one folder to another: uvx, npx and git may fail",
		"use Linux 5.19 or later, or run mcpfunc pack so that nothing is installed at the start"
}

// starting returns the mark of a child that is about to start.
func (s *system) starting() mark {
	s.once.Do(func() { go s.sweepOnWake() })
	s.guard.begin()
	return s.marks.add()
}

// recentOOMKills is oomKills as it was within the last second: reading it costs as much as a fork.
func (s *system) recentOOMKills() int64 {
	s.mu.Lock()
	fresh, n := time.Since(s.oomAt) < time.Second, s.oom
	s.mu.Unlock()
	if fresh {
		return n
	}
	n = oomKills()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oom, s.oomAt = n, time.Now()
	return n
}

func (s *system) ended(c *Child) {
	s.guard.track('-', c.PID())
	c.enclosure.close()
	s.marks.drop(c.mark)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// sweepDelay is between the end of a child and the sweep after it. It lets a killed group come to
// its end, and makes one sweep of many.
const sweepDelay = 200 * time.Millisecond

func (s *system) sweepOnWake() {
	defer close(s.done)
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
		}
		for again := true; again; {
			select {
			case <-s.stop:
				return
			case <-time.After(sweepDelay):
			}
			again = s.sweep() > 0
		}
		s.folders.tidy()
	}
}

// close sweeps until nothing is left, dismisses the guard, and leaves the process as it was.
func (s *system) close() {
	ran := true
	s.once.Do(func() { ran = false })
	if ran {
		close(s.stop)
		<-s.done
		for deadline := time.Now().Add(3 * time.Second); s.sweep() > 0 && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
	}
	s.walls.close()
	s.folders.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.guard.dismiss()
	if s.giveUp != nil {
		s.giveUp()
		s.giveUp = nil
	}
}
