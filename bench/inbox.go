package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/mcpfunc/mcpfunc/bench/internal/wire"
)

// An inbox takes the messages that answer one call, in parts of any size, and checks every byte of
// them without keeping large ones: what is compared is the pattern, since a relay may write the
// JSON around it again.
type inbox struct {
	want *call

	head     []byte // of the message: all of it if it is small, else up to its text and from there on
	text     int    // bytes of pattern that have come
	inText   bool
	progress int // notifications that have come
	disorder int // notifications that came before one that was sent earlier
	answered bool
	err      error // the first thing that was wrong
}

// headBytes is the most that is kept of a message.
const headBytes = 64 << 10

// expect makes the inbox ready for the answer to c.
func (in *inbox) expect(c *call) {
	*in = inbox{want: c, head: in.head[:0]}
}

// part takes the next bytes of a message.
func (in *inbox) part(p []byte) {
	if in.inText {
		p = in.pattern(p)
	}
	if len(p) == 0 {
		return
	}
	if in.want.tool != "big" || in.text > 0 {
		if len(in.head)+len(p) > headBytes {
			in.fail(errors.New("the answer is longer than what was asked for"))
			return
		}
		in.head = append(in.head, p...)
		return
	}
	from := max(0, len(in.head)-len(`"text": "`))
	keep := min(len(p), headBytes-len(in.head))
	in.head = append(in.head, p[:keep]...)
	for _, mark := range []string{`"text":"`, `"text": "`} {
		if i := bytes.Index(in.head[from:], []byte(mark)); i >= 0 {
			cut := from + i + len(mark)
			rest := p[keep-(len(in.head)-cut):]
			in.head = in.head[:cut]
			in.inText = true
			in.part(rest)
			return
		}
	}
}

// pattern takes what is of the text, and returns what comes after it.
func (in *inbox) pattern(p []byte) []byte {
	n := min(len(p), in.want.size-in.text)
	if right := in.want.kind.Matches(in.text, p[:n]); right < n {
		in.fail(fmt.Errorf("byte %d of the answer's text is wrong", in.text+right))
	}
	in.text += n
	if in.text == in.want.size {
		in.inText = false
	}
	return p[n:]
}

// end says that the message is complete.
func (in *inbox) end() {
	m := wire.Parse(in.head)
	switch {
	case string(m.Method) == "notifications/progress":
		in.notified(m)
	case m.Method != nil:
		in.fail(fmt.Errorf("unexpected message: %s", m.Method))
	default:
		in.answer(m)
	}
	in.head, in.text, in.inText = in.head[:0], 0, false
}

func (in *inbox) notified(m wire.Message) {
	switch {
	case !isID(m.Token, in.want.id):
		in.fail(fmt.Errorf("progress of %s came to the call %d", m.Token, in.want.id))
	case m.Count <= in.progress:
		in.disorder++
	}
	in.progress++
}

func (in *inbox) answer(m wire.Message) {
	switch {
	case m.Failed || m.ID == nil || string(m.ID) == "null":
		in.fail(fmt.Errorf("the answer is an error: %.200s", in.head))
	case !isID(m.ID, in.want.id):
		in.fail(fmt.Errorf("the answer to %s came to the call %d", m.ID, in.want.id))
	case in.answered:
		in.fail(errors.New("a second answer"))
	case in.want.tool == "big" && in.text != in.want.size:
		in.fail(fmt.Errorf("the answer has %d of %d bytes", in.text, in.want.size))
	case in.want.tool != "big" && !bytes.Equal(m.Text, in.want.text):
		in.fail(fmt.Errorf("the answer says %.60q and not %.60q", m.Text, in.want.text))
	}
	in.answered = true
}

func (in *inbox) fail(err error) {
	if in.err == nil {
		in.err = err
	}
}

// done returns what was wrong, once nothing more can come.
func (in *inbox) done() error {
	if in.err == nil && !in.answered {
		return errors.New("no answer")
	}
	return in.err
}

func isID(text []byte, id int) bool {
	var digits [20]byte
	return string(text) == string(strconv.AppendInt(digits[:0], int64(id), 10))
}
