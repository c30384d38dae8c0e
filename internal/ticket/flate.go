package ticket

import (
	"bytes"
	"compress/flate"
	"io"
	"sync"
)

// maxPlain bounds in bytes what is compressed, and so what comes of it. A bomb would have to be
// sealed first, by us.
const maxPlain = 16 << 10

// dictionary is what initialize params look like, the commonest last, where references to it are
// shortest. To change it changes the layout of ids.
//
// Compressed text that is encrypted can betray by its length what secret it shares with text that an
// attacker adds to it (CRIME). Here it shares nothing: all that is compressed is what the one client
// that gets the id has sent itself, and the version that it was answered.
const dictionary = `{"method":"initialize","params":{"_meta":{"progressToken":0,` +
	`"experimental":{},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}},` +
	`"tasks":{"list":{},"cancel":{},"requests":{"sampling":{"createMessage":{}},"elicitation":{"create":{}}}},` +
	`"sampling":{"context":{},"tools":{}},"roots":{},"elicitation":{"applyDefaults":true,"form":{},"url":{}},` +
	`"title":"Model Context Protocol ","description":"","websiteUrl":"https://www.","icons":[{"src":"https://","mimeType":"image/svg+xml","sizes":["any"]}],` +
	`"name":"mcp-remote-fallback-test (via mcp-remote 0.1.","name":"mcp-inspector","name":"inspector-client","version":"0.1",` +
	`"name":"openai-mcp (ChatGPT)","name":"codex-mcp-client","name":"gemini-cli-mcp-client","name":"goose","name":"Zed",` +
	`"name":"cursor-vscode","version":"1.0.0"},"tools":true,"prompts":true,"resources":true,"logging":false,"roots":{"listChanged":false},` +
	`"name":"mcp","version":"0.1.0"},"name":"mcp-client","name":"claude-code","title":"Claude Code","version":"2.1.` +
	`"name":"Anthropic/ClaudeAI","name":"claude-ai","version":"0.1.0"},"name":"Visual Studio Code - Insiders","version":"1.1` +
	`2024-11-05` + "\x00" + `{"protocolVersion":"2024-11-05","2025-03-26` + "\x00" + `{"protocolVersion":"2025-03-26",` +
	`"capabilities":{"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{},"url":{}}},"clientInfo":{"name":"Visual Studio Code","version":"1.10` +
	`2025-06-18` + "\x00" + `{"protocolVersion":"2025-06-18","capabilities":{"sampling":{},"elicitation":{},"roots":{"listChanged":true}},"clientInfo":{"name":"` +
	`2025-11-25` + "\x00" + `{"capabilities":{"roots":{"listChanged":true}},"clientInfo":{"name":"","version":"1.0.0"},"protocolVersion":"2025-11-25"}` +
	`2025-11-25` + "\x00" + `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"`

// flates keeps compressors between uses: one is over a megabyte to make, and most of the time goes
// into that.
type flates struct {
	writers, readers sync.Pool

	mu    sync.Mutex
	known map[string][]byte // what short texts are compressed: there are as many clients as say the same
}

// What is known of texts: few clients make most sessions, and a compressor takes 20 µs to begin.
const (
	maxKnown      = 64
	maxKnownBytes = 1 << 10 // of a text
)

func newFlates() *flates {
	return &flates{
		known: map[string][]byte{},
		writers: sync.Pool{New: func() any {
			w, _ := flate.NewWriterDict(io.Discard, flate.BestCompression, []byte(dictionary)) // the level is one
			return w
		}},
		readers: sync.Pool{New: func() any { return flate.NewReaderDict(bytes.NewReader(nil), []byte(dictionary)) }},
	}
}

// deflate appends plain to b, compressed.
func (f *flates) deflate(b, plain []byte) ([]byte, error) {
	if len(plain) > maxKnownBytes {
		return f.compress(b, plain)
	}
	f.mu.Lock()
	packed, ok := f.known[string(plain)]
	f.mu.Unlock()
	if ok {
		return append(b, packed...), nil
	}
	packed, err := f.compress(nil, plain)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.known) == maxKnown {
		clear(f.known)
	}
	f.known[string(plain)] = packed
	return append(b, packed...), nil
}

func (f *flates) compress(b, plain []byte) ([]byte, error) {
	w := f.writers.Get().(*flate.Writer)
	defer f.writers.Put(w)
	out := bytes.NewBuffer(b)
	w.Reset(out)
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// inflate returns what deflate compressed. More than maxPlain is an error.
func (f *flates) inflate(packed []byte) ([]byte, error) {
	r := f.readers.Get().(io.Reader)
	defer f.readers.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(packed), []byte(dictionary)); err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxPlain+1))
	if err == nil && len(plain) > maxPlain {
		err = ErrTooLong
	}
	return plain, err
}
