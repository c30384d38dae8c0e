package main

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/mcpfunc/mcpfunc/bench/internal/wire"
)

// A job is one kind of call to a tool of the server.
type job struct {
	tool  string
	kind  wire.Kind // of pattern, for big
	size  int       // bytes of pattern: of the answer for big, of the request for sink
	count int       // notifications before the answer
}

// echoBytes is the length of an echoed text that makes its request 200 bytes long.
const echoBytes = 98

// firstID leaves every id of a lane with the same number of digits, so that it can be written over
// the one before.
const (
	firstID = 10_000_000
	perLane = 10_000_000
)

// A call is the request that one lane of a session sends again and again, each time with a new id,
// and what its answer must say. Two calls that are in flight at once differ in their text as well,
// whatever session they are of: an answer that reaches the wrong client is seen.
type call struct {
	job
	body   []byte
	id     int
	digits []int  // positions of the ID in body
	text   []byte // that the answer must carry, when size says nothing
}

// newCall returns the call of a lane. name is different for every lane of a run.
func newCall(j job, lane int, name string) *call {
	id := strconv.Itoa(firstID + lane*perLane)
	c := &call{job: j, id: firstID + lane*perLane}
	var args string
	switch j.tool {
	case "echo":
		text := name + "-" + id + "-"
		text = string(wire.Plain.Append([]byte(text), max(0, echoBytes-len(text))))
		args = `{"text":"` + text + `"}`
	case "big":
		args = fmt.Sprintf(`{"size":%d,"kind":"%s"}`, j.size, j.kind)
	case "sink":
		args = `{"text":"` + string(wire.Plain.Append(make([]byte, 0, j.size), j.size)) + `"}`
		c.text = []byte(strconv.Itoa(j.size))
	case "progress":
		args = fmt.Sprintf(`{"count":%d},"_meta":{"progressToken":%s}`, j.count, id)
		c.text = []byte("done")
	}
	c.body = []byte(`{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + j.tool + `","arguments":` + args + `}}`)
	for at := 0; j.tool != "sink" || len(c.digits) == 0; {
		i := bytes.Index(c.body[at:], []byte(id))
		if i < 0 {
			break
		}
		c.digits = append(c.digits, at+i)
		at += i + len(id)
	}
	if j.tool == "echo" {
		from := bytes.Index(c.body, []byte(`"text":"`)) + len(`"text":"`)
		c.text = c.body[from : from+bytes.IndexByte(c.body[from:], '"')]
	}
	return c
}

// next makes it the next request.
func (c *call) next() {
	c.id++
	for _, at := range c.digits {
		var digits [20]byte
		copy(c.body[at:], strconv.AppendInt(digits[:0], int64(c.id), 10))
	}
}
