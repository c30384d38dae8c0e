package main

import "bytes"

// events takes the bytes of an SSE stream and hands the data of its events on, part by part. Each
// event here has one line of data: a message has no line breaks.
type events struct {
	part func([]byte)
	end  func()

	start []byte // of the line, until it is known what it is
	known bool
	data  bool // the line is one of data
	some  bool // the event has data
}

const dataField = "data:"

func (e *events) take(p []byte) {
	for len(p) > 0 {
		if !e.known {
			n := min(len(p), len(dataField)-len(e.start))
			if i := bytes.IndexByte(p[:n], '\n'); i >= 0 {
				e.start = append(e.start, p[:i]...)
				p = p[i+1:]
				if len(e.start) == 0 || e.start[0] == '\r' {
					e.dispatch()
				}
				e.start = e.start[:0]
				continue
			}
			e.start = append(e.start, p[:n]...)
			p = p[n:]
			if len(e.start) < len(dataField) {
				return
			}
			e.known, e.data = true, string(e.start) == dataField
			continue
		}
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		if e.data {
			// A space before JSON and a CR after it mean nothing, so that they may stay; but data
			// that is nothing else makes no event.
			if !e.some {
				line = bytes.TrimLeft(line, " \r")
			}
			if len(line) > 0 {
				e.some = true
				e.part(line)
			}
		}
		p = rest
		if ended {
			e.start, e.known = e.start[:0], false
		}
	}
}

// dispatch ends an event.
func (e *events) dispatch() {
	if e.some {
		e.some = false
		e.end()
	}
}
