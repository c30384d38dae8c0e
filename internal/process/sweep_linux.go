package process

import (
	"os"
	"slices"
	"syscall"
)

// A tier is a way to tell what children have left behind from other processes. Sweeps ask
// it, one after another, so that it needs no lock.
type tier interface {
	// begin begins a round.
	begin(round)
	// left reports whether p, which runs, came of a child that is gone.
	left(p process) bool
	// abandoned reports whether p, a zombie below us, must be waited for by us, and if that cannot be
	// told yet, whether the next round can.
	abandoned(p process) (yes, later bool)
}

// A round is what is true while all processes of the machine are looked at once.
type round struct {
	self     process
	children map[int]bool // process ids of those that are alive
	descent  descent      // from them
}

// sweep makes one round: it kills what children that are gone have left, waits for what died of it
// below us, and returns how many of either it met, so that the caller comes again until none is left.
func (s *system) sweep() (met int) {
	self, ok := inspect(os.Getpid(), make([]byte, statBytes))
	if !ok {
		return 0 // without /proc nothing can be told
	}
	all, children := processes(), s.supervisor.pids()
	r := round{self, children, descentFrom(all, children)}
	tier := s.currentTier()
	tier.begin(r)
	for _, p := range all {
		if p.pid == self.pid || r.children[p.pid] || p.started < self.started { // older: another program's
			continue
		}
		switch {
		case p.zombie:
			if p.parent != self.pid {
				continue
			}
			yes, later := tier.abandoned(p)
			if yes {
				syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
			}
			if yes || later {
				met++
			}
		case tier.left(p):
			syscall.Kill(p.pid, syscall.SIGKILL)
			s.supervisor.log.Warn("killed a process that a server left behind", "pid", p.pid)
			met++
		}
	}
	return met
}

// marked is the tier that changes nothing about the program it is in. It finds processes by their mark,
// wherever the system has moved them to. One that has left its group and changed its environment as
// well is not found.
type marked struct {
	marks *marks
	round
	seen, known map[int]bool // carried a mark of ours: by the last round, in this one
}

func (t *marked) begin(r round) {
	t.round, t.seen, t.known = r, t.known, map[int]bool{}
}

func (t *marked) left(p process) bool {
	if t.descent.root(p.pid) != 0 {
		return false // saves a look at the marks of nearly all
	}
	mark, _ := t.marks.of(p.pid)
	if mark == 0 {
		return false
	}
	t.known[p.pid] = true
	return !t.marks.isLive(mark)
}

// abandoned knows those that carried a mark while they ran. They are below us if the program is a
// sub-reaper by itself, or the first process of a container.
func (t *marked) abandoned(p process) (yes, later bool) {
	if t.seen[p.pid] {
		t.known[p.pid] = true
	}
	return t.seen[p.pid], false
}

// adopted is the tier of a process that does nothing else. It is a sub-reaper, so that orphans of our
// children come to be its own, and can be told by that alone.
type adopted struct {
	marked
	zombies, dead map[int]bool     // that nothing is known of: in the last round, in this one
	strays, alone map[int][]uint64 // orphans without a mark, with the children alive when each was first seen: as above
	held          map[int]bool     // processes that another part of the program will wait for; nil until asked for
}

func (t *adopted) begin(r round) {
	t.marked.begin(r)
	t.zombies, t.dead = t.dead, map[int]bool{}
	t.strays, t.alone = t.alone, map[int][]uint64{}
	t.held = nil
}

// left tells whose an orphan is by its mark. One that has cleared its environment has no mark, but has no
// new privileges either, as everything that came of our children: it is left when all who were alive when
// it was first seen are gone, since one of them was its child, or its child had gone before.
func (t *adopted) left(p process) bool {
	if p.parent != t.self.pid {
		return false
	}
	if mark, _ := t.marks.of(p.pid); mark != 0 {
		return t.marked.left(p)
	}
	if t.marks.appConfined || !confined(p.pid) || t.startedByOthers(p.pid) {
		return false
	}
	owners, known := t.strays[p.pid]
	if !known {
		owners = t.marks.alive()
	}
	t.alone[p.pid] = owners
	return !slices.ContainsFunc(owners, t.marks.isLive)
}

// pinned is the tier of such a process whose children cannot change their mark. Whatever carries one of a child
// that is gone is left, wherever it is and whatever it says of itself.
type pinned struct{ adopted }

func (t *pinned) left(p process) bool {
	if !t.marked.left(p) {
		return false
	}
	below := t.descent.below(t.self.pid, p.pid)
	return below == 0 || !t.startedByOthers(below) // while a child was: it has the mark by that
}

// abandoned takes a zombie with a mark for an orphan if no other part of the program has started it. One without is
// someone else's to wait for.
func (t *pinned) abandoned(p process) (yes, later bool) {
	number, _ := pinnedMark(p.pid)
	return t.marks.ours(number) && !t.startedByOthers(p.pid), false
}

// abandoned takes a zombie for an orphan if no other part of the program has started it. It lets a round
// pass first, in which its parent may wait for it.
func (t *adopted) abandoned(p process) (yes, later bool) {
	if yes, _ := t.marked.abandoned(p); yes {
		return true, false
	}
	t.dead[p.pid] = true
	if !t.zombies[p.pid] {
		return false, true
	}
	return !t.startedByOthers(p.pid), false
}

// startedByOthers reports whether a process below us was started by another part of the program, which
// then has a descriptor of it. Where there are no such descriptors, it may have been.
func (t *adopted) startedByOthers(pid int) bool {
	if t.held == nil {
		held, ok := pidfds()
		if !ok {
			return true
		}
		t.held = held
	}
	return t.held[pid]
}
