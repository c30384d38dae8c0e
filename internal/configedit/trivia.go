package configedit

import (
	"bytes"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A stretch is one line's share of the blanks and comments between two tokens of a document. All
// offsets are of the document.
type stretch struct {
	start      int  // its first byte
	content    int  // its first byte that is not blank
	commentEnd int  // behind its last comment; zero when it has none
	end        int  // where its newline begins, or where the next token does
	next       int  // behind its newline
	broken     bool // it ends in a newline
}

func (s stretch) commented() bool { return s.commentEnd > 0 }

// stretches splits extra, which begins at offset, into lines; there is at least one. A newline
// inside a block comment splits nothing. The extra has been parsed, and is well formed.
func stretches(extra []byte, offset int) []stretch {
	line := stretch{start: offset, content: -1}
	var lines []stretch
	for i := 0; i < len(extra); {
		n := config.CommentLen(extra[i:])
		switch {
		case n > 0:
			if bytes.HasPrefix(extra[i:], []byte("//")) && extra[i+n-1] == '\r' {
				n-- // of the newline
			}
			if line.content < 0 {
				line.content = offset + i
			}
			i += n
			line.commentEnd = offset + i
		case extra[i] == '\n' || bytes.HasPrefix(extra[i:], []byte("\r\n")):
			line.end = offset + i
			i += 1 + bytes.IndexByte(extra[i:], '\n')
			line.next, line.broken = offset+i, true
			lines = append(lines, line.settled())
			line = stretch{start: offset + i, content: -1}
		default:
			i++
		}
	}
	line.end = offset + len(extra)
	line.next = line.end
	return append(lines, line.settled())
}

// settled fills in content for a line that is all blank.
func (s stretch) settled() stretch {
	if s.content < 0 {
		s.content = s.end
	}
	return s
}

// indentOf returns the blanks that begin the line of an offset.
func indentOf(text []byte, offset int) string {
	line := text[bytes.LastIndexByte(text[:offset], '\n')+1:]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// beginsLine reports whether only blanks stand before an offset on its line.
func beginsLine(text []byte, offset int) bool {
	start := bytes.LastIndexByte(text[:offset], '\n') + 1
	return start > 0 && len(bytes.TrimLeft(text[start:offset], " \t")) == 0
}
