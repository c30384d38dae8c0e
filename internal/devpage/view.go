package devpage

import (
	"time"

	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// A View is what a History knows at one moment.
type View struct {
	Version   uint64 // for wait
	Sessions  []Session
	Unwatched int // sessions that came when there was no room, and are not among Sessions
}

// A Session is a session that a client opened, or a process that serves calls without any.
type Session struct {
	Number   uint64     `json:"number"` // counts from 1 in its History
	Server   string     `json:"server"`
	Name     string     `json:"name"` // as in the log, not the id; processes of a pool share it
	Pool     bool       `json:"pool"` // its calls have no session
	Opened   time.Time  `json:"opened"`
	Ended    *time.Time `json:"ended,omitempty"`
	Why      string     `json:"why,omitempty"`      // it ended, or what became of its last process
	Protocol string     `json:"protocol,omitempty"` // the version that the server chose
	Client   string     `json:"client,omitempty"`   // as it introduced itself
	Program  string     `json:"program,omitempty"`  // as the server introduced itself
	Calls    int        `json:"calls"`              // requests of the client
	Waiting  int        `json:"waiting"`            // of them without an answer
	PID      int        `json:"pid,omitempty"`      // of the process; zero without a process
	Starts   int        `json:"starts"`             // of processes so far
	Memory   int64      `json:"memory,omitempty"`   // bytes that the process uses; zero: not known
}

// A Line is a line of stderr.
type Line struct {
	Number uint64    `json:"number"` // counts from 1 in its session
	At     time.Time `json:"at"`
	Text   string    `json:"text"`
}

// A Tail is what a session said after some numbers, and how much of that was dropped before it could
// be told.
type Tail struct {
	Session        uint64          `json:"session"`
	AfterMessage   uint64          `json:"after_message"`
	AfterLine      uint64          `json:"after_line"`
	Messages       []watch.Message `json:"messages"`
	MissedMessages uint64          `json:"missed_messages"`
	Lines          []Line          `json:"lines"`
	MissedLines    uint64          `json:"missed_lines"`
}

// view returns all sessions that are kept, the oldest first.
func (h *History) view() View {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := View{Version: h.version, Unwatched: h.unwatched, Sessions: make([]Session, 0, len(h.sessions))}
	for _, t := range h.sessions {
		v.Sessions = append(v.Sessions, t.about)
	}
	return v
}

// tail returns what the session with that number said after the message and the line with these;
// zero is the beginning. It reports false if there is no such session.
func (h *History) tail(session, message, line uint64) (Tail, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.sessions {
		if r.about.Number != session {
			continue
		}
		t := Tail{Session: session, AfterMessage: message, AfterLine: line}
		t.Messages, t.MissedMessages = after(r.messages, r.lastMessage, message)
		t.Lines, t.MissedLines = after(r.lines, r.lastLine, line)
		return t, true
	}
	return Tail{}, false
}

// after returns what came after the number that was seen, as far as it is kept, and how much of it is not.
// Numbers have no gaps, and what is kept ends with the last one.
func after[T any](kept []T, last, seen uint64) (news []T, missed uint64) {
	all := last - min(seen, last)
	n := min(all, uint64(len(kept)))
	return append([]T{}, kept[uint64(len(kept))-n:]...), all - n
}
