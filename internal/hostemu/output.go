package hostemu

import (
	"bufio"
	"io"
	"strings"
)

// A Level is how the host logs a line of the handler, and so where Application Insights files it.
type Level string

// The levels of a handler's output.
const (
	LevelInformation Level = "information" // stdout
	LevelWarning     Level = "warning"     // stderr, where "warn" is in the line
	LevelError       Level = "error"       // stderr
)

// A line is what the handler wrote, without its end.
type line struct {
	level Level
	text  string
}

// fromStdout takes the mark off a line that is meant for the host's own log.
func fromStdout(text string) line {
	return line{LevelInformation, strings.TrimPrefix(text, "LanguageWorkerConsoleLog")}
}

func fromStderr(text string) line {
	if strings.Contains(strings.ToLower(text), "warn") {
		return line{LevelWarning, text}
	}
	return line{LevelError, text}
}

// maxLine bounds a line; the host has no such limit.
const maxLine = 16 << 20 // bytes

// eachLine calls yield with every line of r. One over maxLine comes in pieces.
func eachLine(r io.Reader, yield func(string)) {
	lines := bufio.NewReaderSize(r, 64<<10)
	var text []byte
	for {
		piece, more, err := lines.ReadLine()
		text = append(text, piece...)
		if err != nil {
			if len(text) > 0 {
				yield(string(text))
			}
			return
		}
		if !more || len(text) >= maxLine {
			yield(string(text))
			text = nil
		}
	}
}

// print writes the handler's lines until it is silent and all of them are written.
func (h *Host) print(silent <-chan struct{}) {
	write := func(l line) {
		_, _ = io.WriteString(h.opts.Output, l.text+"\n")
		h.opts.Lines(l.level, l.text)
	}
	for {
		select {
		case l := <-h.lines:
			write(l)
			continue
		case <-silent:
		}
		for {
			select {
			case l := <-h.lines:
				write(l)
			default:
				return
			}
		}
	}
}
