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
	look  lookout[map[string]bool]
	mu    sync.Mutex
	known [4]process
	next  int // to be replaced
}

// add remembers a process, in place of the oldest one, unless it is there.
func (l *clients) add(p process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.ContainsFunc(l.known[:], func(k process) bool { return k.pid == p.pid && k.started == p.started }) {
		return
	}
	l.known[l.next] = p
	l.next = (l.next + 1) % len(l.known)
}

// have reports whether one of the clients has a socket open.
func (l *clients) have(socket string) bool { return l.look.after(l.sockets)[socket] }

// sockets are what the clients have open. One that has ended has none: its number may be another's.
func (l *clients) sockets() map[string]bool {
	l.mu.Lock()
	known := l.known
	l.mu.Unlock()
	open := map[string]bool{}
	buf := make([]byte, statBytes)
	for _, p := range known {
		sockets, _ := socketsOf(p.pid) // none if we cannot look
		if p.lives(buf) {
			for _, socket := range sockets {
				open[socket] = true
			}
		}
	}
	return open
}
