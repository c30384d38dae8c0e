package process

import (
	"crypto/rand"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// markName is a variable in the environment of every child, and so of what it starts, by which a
// process that has left its group and lost its parent is still known to be ours.
const markName = "MCPFUNC_CHILD"

// marks are what a supervisor has given its children.
type marks struct {
	nonce       string // the first half of each
	appConfined bool   // the app itself has no new privileges, so that this tells nothing of others

	mu    sync.Mutex
	count int
	live  map[string]bool // of children that are starting or alive
}

func newMarks() *marks {
	return &marks{nonce: rand.Text()[:16], appConfined: confined(os.Getpid()), live: map[string]bool{}}
}

func (m *marks) add() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count++
	mark := m.nonce + "." + strconv.Itoa(m.count)
	m.live[mark] = true
	return mark
}

func (m *marks) drop(mark string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.live, mark)
}

func (m *marks) isLive(mark string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live[mark]
}

// alive lists the marks of children that are starting or alive.
func (m *marks) alive() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.live))
}

// ours reports whether a mark is one of these, of a child that is alive or not.
func (m *marks) ours(mark string) bool { return strings.HasPrefix(mark, m.nonce+".") }
