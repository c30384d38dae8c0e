package process

import (
	"bytes"
	"os"
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
	known [4]process
	next  int // to be replaced
}

// add remembers a process, in place of the oldest one.
func (l *clients) add(p process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[l.next] = p
	l.next = (l.next + 1) % len(l.known)
}

// have reports whether one of the clients has a socket open. One that has ended has none: its number may be another's.
func (l *clients) have(socket []byte) bool {
	l.mu.Lock()
	known := l.known
	l.mu.Unlock()
	var buf [statBytes]byte
	return slices.ContainsFunc(known[:], func(p process) bool {
		now, ok := inspect(p.pid, buf[:])
		return ok && now.started == p.started && hasOpen(p.pid, socket) == nil
	})
}

// hasOpen returns nil if a process has a file open, os.ErrPermission if it does not let us look, or another error.
func hasOpen(pid int, file []byte) error {
	found := false
	err := eachFile(pid, func(other []byte) bool {
		found = bytes.Equal(other, file)
		return !found
	})
	if err == nil && !found {
		err = os.ErrNotExist
	}
	return err
}
