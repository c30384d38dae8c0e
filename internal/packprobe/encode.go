package packprobe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/manifest"
)

// An Entry is a server with what it was found to answer.
type Entry struct {
	manifest.Identity
	*Recorded
}

// Encode writes a manifest: the same bytes for the same entries. An answer that several have is there once.
func Encode(entries map[string]Entry) ([]byte, error) {
	index := manifest.Index{Format: manifest.Format, Servers: map[string]manifest.Server{}}
	var lines bytes.Buffer
	known := map[string]int{} // lines, by text
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		e := entries[name]
		server := manifest.Server{Identity: e.Identity, Era: e.Era, Conversations: []manifest.Conversation{}}
		for _, talk := range e.Talks {
			c := manifest.Conversation{Version: talk.Version, Capabilities: talk.Capabilities}
			for _, a := range talk.answers {
				line, ok := known[string(a.text)]
				if !ok {
					line = len(known) + 2
					known[string(a.text)] = line
					lines.Write(a.text)
					lines.WriteByte('\n')
				}
				c.Answers = append(c.Answers, manifest.Answer{Method: a.method, Cursor: a.cursor, Line: line})
			}
			server.Conversations = append(server.Conversations, c)
		}
		index.Servers[name] = server
	}
	first, err := json.Marshal(index)
	if err != nil {
		return nil, err
	}
	data := slices.Concat(first, []byte("\n"), lines.Bytes())
	if len(data) > manifest.MaxBytes {
		return nil, fmt.Errorf("the servers' answers have %d MB, but a manifest has at most %d MiB", len(data)/1e6, manifest.MaxBytes>>20)
	}
	_, err = manifest.Parse(data) // as the app will
	return data, err
}
