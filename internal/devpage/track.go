package devpage

import (
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// A track is the history of one session. All of it is guarded by the lock of its History.
type track struct {
	of          *History
	kept        bool // by its History
	about       Session
	messages    []watch.Message
	lines       []Line
	bytes       int // of both
	lastMessage uint64
	lastLine    uint64
}

// fromApp marks a message that is an event.
const fromApp = "app"

func (t *track) Started(pid int) {
	t.keep(func() {
		t.about.PID = pid
		t.about.Starts++
		t.event("process started")
	})
}

func (t *track) Exited(how string) {
	t.keep(func() {
		t.about.PID, t.about.Waiting = 0, 0
		if t.about.Ended == nil {
			t.about.Why = how
		}
		t.event("process ended: " + how)
	})
}

func (t *track) Ended(why string) {
	t.keep(func() {
		if t.about.Ended != nil {
			return
		}
		at := time.Now()
		t.about.Ended, t.about.Why = &at, why
		t.event("ended: " + why)
	})
}

func (t *track) Stderr(line string) {
	t.keep(func() {
		t.lastLine++
		t.lines = append(t.lines, Line{Number: t.lastLine, At: time.Now(), Text: line})
		t.charge(len(line))
		if len(t.lines) > maxLines {
			t.dropLine()
		}
	})
}

func (t *track) Message(told watch.Message, m *message.Message, waiting int) {
	t.keep(func() {
		if t.about.Waiting = waiting; told.From == watch.FromClient && told.Kind == message.Request.String() {
			t.about.Calls++
		}
		t.introduce(&told, m)
		t.put(told)
	})
}

// keep does what is to be kept, under the lock.
func (t *track) keep(do func()) {
	h := t.of
	h.mu.Lock()
	defer h.mu.Unlock()
	if !t.kept {
		return
	}
	do()
	h.shrink()
	h.happened()
}

// What follows is called with the lock held.

func (t *track) event(text string) {
	t.put(watch.Message{At: time.Now(), From: fromApp, Kind: "event", Body: text})
}

func (t *track) put(m watch.Message) {
	t.lastMessage++
	m.Number = t.lastMessage
	t.messages = append(t.messages, m)
	t.charge(weight(m))
	if len(t.messages) > maxMessages {
		t.dropMessage()
	}
}

func weight(m watch.Message) int { return len(m.Body) + len(m.Method) + len(m.ID) }

func (t *track) charge(n int) {
	t.bytes += n
	t.of.bytes += n
}

func (t *track) dropMessage() {
	t.charge(-weight(t.messages[0]))
	t.messages[0] = watch.Message{} // the slice lives on, its text must not
	t.messages = t.messages[1:]
}

func (t *track) dropLine() {
	t.charge(-len(t.lines[0].Text))
	t.lines[0] = Line{}
	t.lines = t.lines[1:]
}

// oldest is when the oldest of what is kept was said. It reports false if nothing is.
func (t *track) oldest() (at time.Time, ok bool) {
	switch {
	case t == nil || len(t.messages)+len(t.lines) == 0:
		return time.Time{}, false
	case len(t.lines) == 0 || len(t.messages) > 0 && t.messages[0].At.Before(t.lines[0].At):
		return t.messages[0].At, true
	}
	return t.lines[0].At, true
}

func (t *track) dropOldest() {
	if len(t.lines) == 0 || len(t.messages) > 0 && t.messages[0].At.Before(t.lines[0].At) {
		t.dropMessage()
	} else {
		t.dropLine()
	}
}
