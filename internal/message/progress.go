package message

import (
	"time"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
)

// ProgressTime is how long the sender of an unfinished large message may take for the next 64 KiB of it, when others
// want the memory that it holds.
const ProgressTime = 10 * time.Second

// A Progress watches the sender of one large message. The zero value is ready.
type Progress struct {
	since time.Time
	size  int // of the message, then
}

// Left is how much time the sender has for the next bytes of m; negative if it has taken too long. There is no limit,
// and ok is false, for what holds no memory of a Budget.
func (p *Progress) Left(m *Message) (left time.Duration, ok bool) {
	if m.taken == 0 {
		*p = Progress{}
		return 0, false
	}
	now := time.Now()
	if p.since.IsZero() || m.size-p.size >= bufpool.Size {
		p.since, p.size = now, m.size
	}
	return ProgressTime - now.Sub(p.since), true
}

// Yield takes the memory of m, which is not finished and whose sender has taken too long, if others want it, and
// reports whether it did. Otherwise the sender has as long again.
func (p *Progress) Yield(m *Message) bool {
	if m.taken == 0 || !m.share.crowded() {
		*p = Progress{}
		return false
	}
	m.refuse(errIdle)
	return true
}
