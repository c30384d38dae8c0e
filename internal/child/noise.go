package child

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// noiseBytes is how much of what is not a message is logged.
const noiseBytes = 256

// logNoise reports what the process wrote to its stdout that is not a message. It is logged and skipped: a
// print statement that was left in a server must not end a session.
func (c *Child) logNoise(head []byte, size int64) {
	text := shown(c.secrets, head, noiseBytes)
	if !c.spoke {
		c.skipped.note(text)
	}
	if c.noise.allow(c.log) {
		c.log.Warn("skipped server output on stdout: not a message", "text", text, "bytes", size)
	}
}

// shown is text of the process as it may be shown. Of text with most bytes the rest was cut off.
func shown(secrets *secret.Redactor, text []byte, most int) string {
	valid := string(bytes.ToValidUTF8(text, []byte("\uFFFD")))
	if len(text) < most {
		return secrets.Redact(valid)
	}
	return secrets.RedactCut(valid)
}

// skipped is what a process wrote to its stdout before its first message.
type skipped struct {
	mu    sync.Mutex
	lines int
	first string
}

func (s *skipped) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines++; s.lines == 1 {
		s.first = text
	}
}

// explain adds to f, which says that the process did not answer, what it wrote instead.
func (s *skipped) explain(f *Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.lines {
	case 0:
		return
	case 1:
		f.Text += fmt.Sprintf("; its output on stdout is not a message: %q", s.first)
	default:
		f.Text += fmt.Sprintf("; its output on stdout, %d lines, is not a message: %q", s.lines, s.first)
	}
	f.Hint = "stdout is for messages only: let the server print to stderr, or check that the command starts an MCP server over stdio"
}

// brokenAnswer returns an error in place of an answer that is no JSON, for the request that it shows.
func (c *Child) brokenAnswer(b *framing.BrokenError) *message.Message {
	c.log.Warn("server answer is not JSON: its request gets an error", "id", string(b.ID), "error", b.Err)
	f := &Failure{
		Text: "the server's answer is not valid JSON: " + b.Err.Error(), Reason: ReasonBroken, Head: shown(c.secrets, b.Head, noiseBytes),
		Hint: "check the server for NaN or line breaks within strings: its stdout must be JSON, one message per line",
	}
	return f.Answer(b.ID)
}
