package packprobe

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/policy"
)

// maxListed bounds the pages of a list of tools.
const maxListed = 1000

// A listener asks a server for its tools as they are on the wire: what an SDK makes of them is not what
// another client is told.
type listener struct {
	url     string
	session string // empty in the protocol version 2026-07-28
	version string
}

const stateless = "2026-07-28"

// tools returns the tools of all pages.
func (l *listener) tools(ctx context.Context) ([]pack.Tool, error) {
	list := []pack.Tool{}
	var cursor []byte
	for range maxListed {
		m, err := l.page(ctx, cursor)
		if err != nil {
			return nil, err
		}
		page, next, err := read(m.Bytes())
		m.Free()
		if err != nil {
			return nil, err
		}
		for _, t := range page {
			if slices.ContainsFunc(list, func(u pack.Tool) bool { return u.Name == t.Name }) {
				return nil, fmt.Errorf("it lists the tool %q twice", t.Name)
			}
			list = append(list, t)
		}
		if next == nil {
			return list, nil
		}
		cursor = next
	}
	return nil, fmt.Errorf("its list of tools has more than %d pages", maxListed)
}

// page asks for one page. The caller frees it.
func (l *listener) page(ctx context.Context, cursor []byte) (*message.Message, error) {
	params := map[string]any{}
	if cursor != nil {
		params["cursor"] = json.RawMessage(cursor)
	}
	if l.session == "" {
		params["_meta"] = map[string]any{
			"io.modelcontextprotocol/protocolVersion":    stateless,
			"io.modelcontextprotocol/clientInfo":         map[string]string{"name": "mcpfunc", "version": "1"},
			"io.modelcontextprotocol/clientCapabilities": struct{}{},
		}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": "mcpfunc-tools", "method": "tools/list", "params": params})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if l.session != "" {
		r.Header.Set("Mcp-Session-Id", l.session)
		r.Header.Set("Mcp-Protocol-Version", l.version)
	} else {
		r.Header.Set("Mcp-Protocol-Version", stateless)
		r.Header.Set("Mcp-Method", "tools/list")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return answerOf(resp)
}

// answerOf returns the answer in a body, or among events.
func answerOf(resp *http.Response) (*message.Message, error) {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		return message.Parse(data)
	}
	in := bufio.NewReader(resp.Body)
	for {
		line, err := in.ReadBytes('\n')
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			if m, err := message.Parse(data); err == nil {
				if m.Kind() == message.Response {
					return m, nil
				}
				m.Free()
			}
		}
		if err != nil {
			return nil, errors.New("it does not answer tools/list")
		}
	}
}

// read returns the tools of a page, and the cursor of the next one as JSON; nil for none.
func read(text []byte) (list []pack.Tool, next []byte, err error) {
	found := false
	for key, at := range message.Members(text, message.Whole(text)) {
		if key != "result" {
			continue
		}
		for key, at := range message.Members(text, at) {
			switch key {
			case "tools":
				found = true
				for tool := range message.Elements(text, at) {
					t, err := toolOf(text, tool)
					if err != nil {
						return nil, nil, err
					}
					list = append(list, t)
				}
			case "nextCursor":
				if next = bytes.Clone(text[at.From:at.To]); string(next) == "null" {
					next = nil
				}
			}
		}
	}
	if !found {
		return nil, nil, errors.New("its answer to tools/list does not contain tools")
	}
	return list, next, nil
}

func toolOf(text []byte, at message.Span) (pack.Tool, error) {
	t := pack.Tool{Digest: policy.Digest(text, at), Says: policy.Says(text, at)}
	names := 0
	for key, value := range message.Members(text, at) {
		switch key {
		case "name":
			names++
			t.Name, _ = message.String(text, value)
		case "description":
			t.Description, _ = message.String(text, value)
		}
	}
	if names != 1 || t.Name == "" {
		return t, errors.New("it lists a tool without a name, or with several names")
	}
	return t, nil
}
