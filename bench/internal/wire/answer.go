package wire

import "strconv"

// An Answerer is the MCP server of the benchmark, without its transport. Requests are answered one
// after another; an Answerer is not safe for concurrent use.
//
// Its tools: echo answers its argument "text"; big answers "size" bytes of the pattern of "kind"; sink takes
// pattern as "text" and answers how many bytes of it were right; progress sends "count"
// notifications before it answers.
type Answerer struct {
	line  []byte          // of small answers
	large map[text][]byte // answers by their text, with room for a head
}

const (
	initialized = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}`
	tools       = `{"tools":[` +
		`{"name":"echo","inputSchema":{"type":"object"}},{"name":"big","inputSchema":{"type":"object"}},` +
		`{"name":"sink","inputSchema":{"type":"object"}},{"name":"progress","inputSchema":{"type":"object"}}]}`
	textBefore = `{"content":[{"type":"text","text":"`
	textAfter  = `"}]}`
)

// Answer calls send with each message that answers request, complete with the newline that ends it.
// send must not keep it.
func (a *Answerer) Answer(request []byte, send func(line []byte) error) error {
	m := Parse(request)
	if m.ID == nil {
		return nil // a notification
	}
	switch string(m.Method) {
	case "initialize":
		return send(a.result(m.ID, initialized, nil, ""))
	case "tools/list":
		return send(a.result(m.ID, tools, nil, ""))
	case "ping":
		return send(a.result(m.ID, "{}", nil, ""))
	case "tools/call":
		return a.call(m, send)
	}
	a.begin(m.ID)
	return send(a.end(`"error":{"code":-32601,"message":"method not found"}`))
}

func (a *Answerer) call(m Message, send func([]byte) error) error {
	switch string(m.Tool) {
	case "echo":
		return send(a.result(m.ID, textBefore, m.Text, textAfter))
	case "big":
		return send(a.big(m.ID, text{Kind(m.Kind), m.Size}))
	case "sink":
		right := strconv.Itoa(Plain.Matches(0, m.Text))
		return send(a.result(m.ID, textBefore, []byte(right), textAfter))
	case "progress":
		for i := range m.Count {
			if err := send(a.progress(m.Token, i+1)); err != nil {
				return err
			}
		}
		return send(a.result(m.ID, textBefore, []byte("done"), textAfter))
	}
	return send(a.result(m.ID, `{"isError":true,"content":[]}`, nil, ""))
}

func (a *Answerer) begin(id []byte) {
	a.line = append(a.line[:0], `{"jsonrpc":"2.0","id":`...)
	a.line = append(append(a.line, id...), ',')
}

func (a *Answerer) end(last string) []byte {
	a.line = append(append(a.line, last...), "}\n"...)
	return a.line
}

func (a *Answerer) result(id []byte, before string, text []byte, after string) []byte {
	a.begin(id)
	a.line = append(append(append(a.line, `"result":`...), before...), text...)
	return a.end(after)
}

func (a *Answerer) progress(token []byte, n int) []byte {
	a.line = append(a.line[:0], `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`...)
	a.line = append(append(a.line, token...), `,"progress":`...)
	a.line = strconv.AppendInt(a.line, int64(n), 10)
	return a.end("}")
}

// A text is what a large answer has.
type text struct {
	kind Kind
	size int
}

// big is result for a text, which is not moved: the head is put before it.
func (a *Answerer) big(id []byte, t text) []byte {
	const room = 256
	whole := a.large[t]
	if whole == nil {
		whole = make([]byte, room, room+t.size+len(textAfter)+len("}\n"))
		whole = append(append(t.kind.Append(whole, t.size), textAfter...), "}\n"...)
		if a.large == nil {
			a.large = map[text][]byte{}
		}
		a.large[t] = whole
	}
	a.begin(id[:min(len(id), room/2)])
	a.line = append(a.line, `"result":`+textBefore...)
	from := room - len(a.line)
	copy(whole[from:], a.line)
	return whole[from:]
}
