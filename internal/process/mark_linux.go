package process

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A mark says of a process which child it is, or came of, wherever it has gone: it is inherited.
//
// A pinned one is a soft limit of a resource that no server uses, the processor time of a realtime
// scheduler. The seccomp filter of a child refuses to change that limit, so that a process cannot take its mark
// off, or that of a sibling, and everyone may read it (/proc/pid/limits). Where there is no such filter, or
// the process is not the app's own, the mark is a variable of the environment, which a process can change.
type mark struct {
	number uint64 // pinned: the nonce and the child's number, in decimal digits of a fixed width
	text   string
}

const (
	// markName is the variable.
	markName = "MCPFUNC_CHILD"
	// markLimit is the resource: it matters only to processes that a realtime scheduler runs.
	markLimit = unix.RLIMIT_RTTIME

	nonceDigits, numberDigits = 10, 8
	maxNumber                 = 1e8 - 1
)

// marks are what a supervisor has given its children.
type marks struct {
	nonce       uint64 // the first digits of each
	appConfined bool   // the app itself has no new privileges, so that this tells nothing of others

	mu     sync.Mutex
	pinned bool
	count  uint64
	live   map[uint64]bool // numbers of children that are starting or alive
}

func newMarks() *marks {
	var random [8]byte
	rand.Read(random[:])
	const first = 1e9 // so that all nonces are of one width
	nonce := first + binary.LittleEndian.Uint64(random[:])%(8*first)
	return &marks{nonce: nonce, appConfined: confined(os.Getpid()), live: map[uint64]bool{}}
}

// prefix is what the text of every mark of these begins with.
func (m *marks) prefix() string { return strconv.FormatUint(m.nonce, 10) }

// pin makes the marks from now on ones that a process cannot change, where the system allows it. The walls must
// have a filter.
func (m *marks) pin() bool {
	var limit unix.Rlimit
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pinned = unix.Getrlimit(markLimit, &limit) == nil && limit.Max == unix.RLIM_INFINITY
	return m.pinned
}

func (m *marks) isPinned() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pinned
}

func (m *marks) add() mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count = m.count%maxNumber + 1
	number := m.nonce*(maxNumber+1) + m.count
	m.live[number] = true
	return mark{number, strconv.FormatUint(number, 10)}
}

// stamping is held while this process has the mark of a child that it is about to start.
var stamping sync.Mutex

// stamp lets what this process starts from now on have a mark, until unstamp, which must follow unless stamp fails.
func (m *marks) stamp(k mark) (unstamp func(), err error) {
	if !m.isPinned() {
		return func() {}, nil
	}
	stamping.Lock()
	var before unix.Rlimit
	if err = unix.Getrlimit(markLimit, &before); err == nil {
		err = unix.Setrlimit(markLimit, &unix.Rlimit{Cur: k.number, Max: before.Max})
	}
	if err != nil {
		stamping.Unlock()
		return nil, err
	}
	return func() {
		unix.Setrlimit(markLimit, &before)
		stamping.Unlock()
	}, nil
}

// pinTo gives a mark to a process that has been started, where marks are pinned.
func (m *marks) pinTo(pid int, k mark) error {
	if !m.isPinned() {
		return nil
	}
	return os.NewSyscallError("prlimit", unix.Prlimit(pid, markLimit, &unix.Rlimit{Cur: k.number, Max: unix.RLIM_INFINITY}, nil))
}

func (m *marks) drop(k mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.live, k.number)
}

func (m *marks) isLive(number uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live[number]
}

// any reports whether a child was ever marked.
func (m *marks) any() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count > 0
}

// alive lists the marks of children that are starting or alive.
func (m *marks) alive() []uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.live))
}

// ours reports whether a mark is one of these, of a child that is alive or not.
func (m *marks) ours(number uint64) bool { return number/(maxNumber+1) == m.nonce }

// of returns the mark of a process, or 0 if it has none of these. A pinned one counts, whatever the process
// says in its environment. It is not ok if the process has ended, or cannot be asked for want of descriptors.
func (m *marks) of(pid int) (mark uint64, ok bool) {
	number, ok := pinnedMark(pid)
	if m.ours(number) {
		return number, ok
	}
	if number, err := strconv.ParseUint(variableMark(pid), 10, 64); err == nil && m.ours(number) {
		return number, ok
	}
	return 0, ok
}

// limitsBytes is enough for /proc/pid/limits.
const limitsBytes = 4 << 10

var limitsBuffers = sync.Pool{New: func() any { return new([limitsBytes]byte) }}

// pinnedMark reads the soft limit that is a mark (proc_pid_limits(5)), which everyone may, or returns 0.
func pinnedMark(pid int) (number uint64, ok bool) {
	buf := limitsBuffers.Get().(*[limitsBytes]byte)
	defer limitsBuffers.Put(buf)
	limits := read("/proc/"+strconv.Itoa(pid)+"/limits", buf[:])
	_, rest, _ := bytes.Cut(limits, []byte("\nMax realtime timeout"))
	for field := range bytes.FieldsSeq(rest) {
		number, _ = strconv.ParseUint(string(field), 10, 64) // 0 for "unlimited"
		break
	}
	return number, len(limits) > 0
}

// variableMark returns the mark in a process's environment, or "".
func variableMark(pid int) string {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	for entry := range strings.SplitSeq(string(environ), "\x00") {
		if value, ok := strings.CutPrefix(entry, markName+"="); ok {
			return value
		}
	}
	return ""
}
