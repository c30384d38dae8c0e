// Package wire is what the two ends of the benchmark agree on: how they find their way in a message
// without decoding it, and the pattern that large messages are filled with.
package wire

import "bytes"

// A Message is what the benchmark's ends need of a JSON-RPC message. The texts are parts of it, and
// nil where it has no such member.
type Message struct {
	ID     []byte // as it is written
	Method []byte // between the quotes
	Token  []byte // params._meta.progressToken or, in a notification, params.progressToken
	Tool   []byte // params.name, between the quotes
	Text   []byte // params.arguments.text or the text of a result, between the quotes
	Kind   []byte // params.arguments.kind, between the quotes
	Size   int    // params.arguments.size
	Count  int    // params.arguments.count, or params.progress
	Failed bool   // an error, or a result with isError
}

// Parse finds the members of a message that one of the benchmark's ends wrote, whatever order a
// relay gave them. It trusts that it is JSON.
func Parse(line []byte) Message {
	var m Message
	var key []byte
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '"':
			text, end := quoted(line, i)
			next := end
			for next < len(line) && line[next] == ' ' {
				next++
			}
			if next < len(line) && line[next] == ':' {
				key, i = text, next
				if value := next + 1; value < len(line) {
					m.scalar(key, line, value)
				}
				continue
			}
			m.text(key, text)
			i = end - 1
		}
	}
	return m
}

// quoted returns what is between the quotes of the string at line[at], and the index behind it.
func quoted(line []byte, at int) (text []byte, end int) {
	for from := at + 1; ; {
		n := bytes.IndexByte(line[from:], '"')
		if n < 0 {
			return line[at+1:], len(line)
		}
		from += n
		escapes := 0
		for line[from-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return line[at+1 : from], from + 1
		}
		from++
	}
}

// text takes a string member.
func (m *Message) text(key, text []byte) {
	switch string(key) {
	case "method":
		m.Method = text
	case "name":
		m.Tool = text
	case "text":
		m.Text = text
	case "kind":
		m.Kind = text
	}
}

// scalar takes a member whose value may be a number, or of which the quotes are kept.
func (m *Message) scalar(key, line []byte, at int) {
	for at < len(line) && line[at] == ' ' {
		at++
	}
	switch string(key) {
	case "id":
		m.ID = scalar(line, at)
	case "progressToken":
		m.Token = scalar(line, at)
	case "size":
		m.Size = number(line[at:])
	case "count", "progress":
		m.Count = number(line[at:])
	case "error":
		m.Failed = true
	case "isError":
		m.Failed = m.Failed || line[at] == 't'
	}
}

// scalar returns the string or number at line[at] as it is written.
func scalar(line []byte, at int) []byte {
	if at < len(line) && line[at] == '"' {
		_, end := quoted(line, at)
		return line[at:end]
	}
	end := at
	for end < len(line) && line[end] != ',' && line[end] != '}' && line[end] != ' ' {
		end++
	}
	return line[at:end]
}

// number reads digits.
func number(p []byte) (n int) {
	for _, c := range p {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + int(c-'0')
	}
	return n
}
