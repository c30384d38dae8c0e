package framing

import (
	"bytes"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Messages over several lines, as serializers write them that are told to be pretty.

// promising reports whether a line that ends within an object is the first of a message: nothing
// but a brace, or one of a message's own members. The first lines of anything else must not keep a
// message waiting that follows them.
func promising(line []byte) bool {
	line = bytes.TrimLeft(line, " \t\r\n")
	inner, ok := bytes.CutPrefix(line, []byte{'{'})
	if !ok {
		return false
	}
	inner = bytes.TrimLeft(inner, " \t\r\n")
	if len(inner) == 0 {
		return true
	}
	for _, name := range []string{`"jsonrpc"`, `"id"`, `"method"`, `"params"`, `"result"`, `"error"`} {
		if bytes.HasPrefix(inner, []byte(name)) {
			return true
		}
	}
	return false
}

// lineTime is how long the next line of a message over several may take. After that it is taken for
// one that was cut off.
const lineTime = 3 * time.Second

// giveUp returns a *BrokenError if what has come of a message over several lines shows who waits for
// it. The lines that may still come are noise then.
func (s *Stream) giveUp() error {
	if s.open.behind {
		return nil
	}
	text := s.open.m.Bytes()
	err := mend(text).error(text, message.ErrUnfinished)
	if err != nil {
		s.report(text, s.open.size)
		s.open.m.Free()
		s.open = frame{}
	}
	return err
}

// join adds a line to what may be a message over several, and returns that once it is whole. A line
// that is a message by itself ends what came before, so that it waits for nothing.
func (s *Stream) join(f *frame) (*message.Message, error) {
	o := &s.open
	before := o.m.Len()
	line := append([]byte{'\n'}, f.m.Bytes()...)
	fits := !f.done && !f.m.Discarded()
	taken := 0
	if fits {
		var err error
		if taken, err = s.add(o, line, nil); err != nil {
			f.m.Free()
			return nil, err
		}
		fits = o.done || o.bad == errOther || o.unfinished() && !o.m.InString() && promising(o.m.Head(headBytes))
	}
	switch {
	case !fits:
		held := *f
		s.held = &held
		given := *o
		s.open = frame{}
		if given.m.Discarded() {
			return nil, s.look(&given)
		}
		text := given.m.Bytes()[:before]
		given.m.Free()
		if err := mend(text).error(text, message.ErrUnfinished); err != nil && !f.cut && !given.behind {
			s.report(text, int64(before))
			return nil, err
		}
		s.lines.begin(text)
		s.lines.log = given.behind
		return nil, nil
	case o.done, o.bad == errOther:
		whole := *o
		s.open = frame{}
		f.m.Free()
		if rest := bytes.TrimSpace(line[taken:]); len(rest) > 0 {
			s.lines.begin(rest)
		}
		if !whole.done {
			s.report(whole.m.Head(headBytes), whole.size)
			whole.m.Free()
			return nil, nil
		}
		s.spoke(Lines)
		return whole.m, s.whole(whole.m)
	}
	f.m.Free()
	return nil, nil
}
