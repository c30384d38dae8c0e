package packprobe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// maxPages bounds a list.
const maxPages = 64

// answer is what a server has said to one request, as it said it.
type answer struct {
	method, cursor string
	text           []byte
}

// A conversation is with one process: it begins in one way and asks for all that a manifest may know.
type conversation struct {
	*child.Child
	begin        []byte
	modern       bool
	capabilities json.RawMessage // of the client

	answers []answer
	changed map[string]bool // notifications that a list has changed: it is not at rest
}

// hold holds the conversation. It fails with what the process died of, or with an answer that is invalid.
func (c *conversation) hold() error {
	begun, err := c.ask(c.method(), "", c.begin)
	if err != nil {
		return err
	}
	var opened struct {
		Result struct {
			ProtocolVersion string `json:"protocolVersion"`
			Capabilities    struct {
				Tools, Prompts, Resources, Logging *struct{}
			} `json:"capabilities"`
		} `json:"result"`
	}
	if err := json.Unmarshal(begun, &opened); err != nil {
		return err
	}
	if !c.modern {
		if opened.Result.ProtocolVersion == "" {
			return errors.New("the server refused to initialize")
		}
		if err := c.say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		has    *struct{}
		method string
	}{
		{opened.Result.Capabilities.Tools, "tools/list"}, {opened.Result.Capabilities.Prompts, "prompts/list"},
		{opened.Result.Capabilities.Resources, "resources/list"}, {opened.Result.Capabilities.Resources, "resources/templates/list"},
	} {
		if list.has == nil {
			continue
		}
		if err := c.list(list.method); err != nil {
			return err
		}
	}
	if c.modern {
		return nil
	}
	if _, err := c.ask("ping", "", nil); err != nil {
		return err
	}
	if opened.Result.Capabilities.Logging != nil {
		_, err = c.ask("logging/setLevel", "", nil)
	}
	return err
}

// initialize returns a request that begins a conversation.
func initialize(version string, capabilities json.RawMessage) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":"mcpfunc-manifest","method":"initialize","params":{"protocolVersion":%q,"capabilities":%s,`+
		`"clientInfo":{"name":"mcpfunc","version":"1"}}}`, version, capabilities)
}

func (c *conversation) method() string {
	if c.modern {
		return "server/discover"
	}
	return "initialize"
}

// list asks for all pages of a list.
func (c *conversation) list(method string) error {
	cursor := ""
	for range maxPages {
		text, err := c.ask(method, cursor, nil)
		if err != nil {
			return err
		}
		var page struct {
			Result struct {
				NextCursor string `json:"nextCursor"`
			} `json:"result"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return err
		}
		if cursor = page.Result.NextCursor; cursor == "" {
			return nil
		}
	}
	c.forget(method) // there is no end to it
	return nil
}

// ask asks, with text or as every asker does, and notes the answer. One that is an error is noted if it says that
// the server does not have the method.
func (c *conversation) ask(method, cursor string, text []byte) ([]byte, error) {
	if text == nil {
		var capabilities json.RawMessage
		if c.modern {
			capabilities = c.capabilities
		}
		text = manifest.Ask(method, cursor, capabilities)
	}
	m, err := message.Parse(text)
	if err != nil {
		return nil, err
	}
	defer m.Free()
	got, err := c.Ask(m, c.other)
	if err != nil {
		return nil, err
	}
	defer got.Free()
	said := got.Bytes()
	if !got.Envelope().IsError() || got.ErrorCode() == codeNoMethod && manifest.Lists[method] != "" {
		c.answers = append(c.answers, answer{method, cursor, said})
	}
	return said, nil
}

const codeNoMethod = -32601 // JSON-RPC 2.0, "Error object"

// other takes what the process says that was not asked: questions are answered as by a client that has nothing.
func (c *conversation) other(m *message.Message) {
	defer m.Free()
	e := m.Envelope()
	switch {
	case m.Kind() == message.Notification && strings.HasSuffix(e.Method(), "/list_changed"):
		c.changed[e.Method()] = true
	case m.Kind() == message.Request && e.Method() == "roots/list":
		c.say(`{"jsonrpc":"2.0","id":` + string(e.ID()) + `,"result":{"roots":[]}}`) // if it cannot be said the next answer does not come
	case m.Kind() == message.Request:
		c.say(`{"jsonrpc":"2.0","id":` + string(e.ID()) + `,"error":{"code":-32601,"message":"not available while the manifest is recorded"}}`)
	}
}

func (c *conversation) say(text string) error {
	m, err := message.Parse([]byte(text))
	if err != nil {
		return err
	}
	defer m.Free()
	return c.Write(context.Background(), m)
}

// forget drops the answers to a method.
func (c *conversation) forget(method string) { c.answers = without(c.answers, method) }

func without(answers []answer, method string) (kept []answer) {
	for _, a := range answers {
		if a.method != method {
			kept = append(kept, a)
		}
	}
	return kept
}

// settled returns the answers but those to lists that changed while they were asked for.
func (c *conversation) settled() []answer {
	for method, notification := range manifest.Lists {
		if c.changed[notification] {
			c.forget(method)
		}
	}
	return c.answers
}

// differing returns the methods that are not answered the same in a and b.
func differing(a, b []answer) map[string]bool {
	methods := map[string]bool{}
	for _, x := range [][2][]answer{{a, b}, {b, a}} {
		for _, one := range x[0] {
			if !contains(x[1], one) {
				methods[one.method] = true
			}
		}
	}
	return methods
}

func contains(answers []answer, one answer) bool {
	for _, a := range answers {
		if a.method == one.method && a.cursor == one.cursor {
			return bytes.Equal(a.text, one.text)
		}
	}
	return false
}

// but returns the answers but those to these methods; nil if the beginning is among them.
func but(answers []answer, methods map[string]bool) []answer {
	if methods["initialize"] || methods["server/discover"] {
		return nil
	}
	for method := range methods {
		answers = without(answers, method)
	}
	return answers
}

// errSilent says that a process has ended before it answered.
func errSilent(f *child.Failure) error { return fmt.Errorf("%s", f.Text) }
