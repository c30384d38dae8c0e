package process

import (
	"slices"
	"sync"
)

// clients are the last processes that were found at the other end of a connection and certainly came of no child: on
// Azure, the Functions host. The next connection is most likely theirs, too, and to look at what they have open is a
// small part of a look at all processes.
//
// A socket is open in two processes if one has started the other, or given it to the other. A client is below no child, and
// no child is below a client but by way of the app. So a client's connection is a child's as well only if both agree on it.
type clients struct {
	mu    sync.Mutex
	known []process // newest last
}

const maxClients = 4

// add remembers a process, in place of the oldest one.
func (l *clients) add(p process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = slices.DeleteFunc(l.known, func(other process) bool { return other.pid == p.pid })
	if len(l.known) == maxClients {
		l.known = l.known[1:]
	}
	l.known = append(l.known, p)
}

// have reports whether one of the clients has a socket open. One that has ended has none: its number may be another's.
func (l *clients) have(inode uint32) bool {
	l.mu.Lock()
	known := slices.Clone(l.known)
	l.mu.Unlock()
	var buf [statBytes]byte
	for _, p := range slices.Backward(known) {
		if now, ok := inspect(p.pid, buf[:]); ok && now.started == p.started && hasSocket(p.pid, inode) {
			return true
		}
	}
	return false
}

// hasSocket reports whether a process that lets us look has a socket open.
func hasSocket(pid int, inode uint32) (found bool) {
	eachSocket(pid, func(other uint32) bool {
		found = other == inode
		return !found
	})
	return found
}
