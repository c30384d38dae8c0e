package policy

import (
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// How a message says what it uses.
type how uint8

const (
	unrelated  how = iota // to anything with rules
	lists                 // everything that there is
	byName                // params.name
	byURI                 // params.uri
	refers                // params.ref (completion/complete)
	subscribes            // params.notifications.resourceSubscriptions (2026-07-28, subscriptions/listen)
	unknown               // there are rules for its kind, and its effect is unknown
)

// A use is what a message of a client is about.
type use struct {
	kind
	how
	key  string // of the result of a list: where its elements are
	name string // of an element: what names it
}

// uses are what the methods of MCP are about.
//
// Tasks are not among them: a caller with the ID of one was allowed the call that made it.
var uses = map[string]use{
	"tools/call":               {kind: tools, how: byName},
	"tools/list":               {tools, lists, "tools", "name"},
	"prompts/get":              {kind: prompts, how: byName},
	"prompts/list":             {prompts, lists, "prompts", "name"},
	"resources/read":           {kind: resources, how: byURI},
	"resources/subscribe":      {kind: resources, how: byURI},
	"resources/unsubscribe":    {kind: resources, how: byURI},
	"resources/list":           {resources, lists, "resources", "uri"},
	"resources/templates/list": {resources, lists, "resourceTemplates", "uriTemplate"},
	"completion/complete":      {kind: prompts, how: refers},
	"subscriptions/listen":     {kind: resources, how: subscribes},
}

// about says what a method is about. One that is written in another case, or that no revision of MCP has,
// is unknown: there may be servers that take it for what it looks like.
func about(method string) use {
	if u, ok := uses[method]; ok {
		return u
	}
	room, _, ok := strings.Cut(method, "/")
	if !ok {
		return use{}
	}
	for known, u := range uses {
		if like, _, _ := strings.Cut(known, "/"); strings.EqualFold(room, like) {
			return use{kind: u.kind, how: unknown}
		}
	}
	return use{}
}

// references calls f with what completion/complete is about. A reader that ignores the case of keys, or takes
// the first of two, finds nothing else.
func references(m *message.Message, f func(kind, string) bool) {
	text := m.Bytes()
	for params := range below(text, message.Whole(text), "params") {
		for ref := range below(text, params, "ref") {
			for key, at := range message.Members(text, ref) {
				value, ok := message.String(text, at)
				switch {
				case !ok:
				case strings.EqualFold(key, "name"):
					if !f(prompts, value) {
						return
					}
				case strings.EqualFold(key, "uri"):
					if !f(resources, value) {
						return
					}
				}
			}
		}
	}
}

// subscriptions calls f with the URIs that subscriptions/listen names.
func subscriptions(m *message.Message, f func(kind, string) bool) {
	text := m.Bytes()
	for params := range below(text, message.Whole(text), "params") {
		for wanted := range below(text, params, "notifications") {
			for list := range below(text, wanted, "resourceSubscriptions") {
				for at := range message.Elements(text, list) {
					if uri, ok := message.String(text, at); ok && !f(resources, uri) {
						return
					}
				}
			}
		}
	}
}

// below yields the values of every key of an object that any reader could take for this one.
func below(text []byte, object message.Span, key string) func(func(message.Span) bool) {
	return func(yield func(message.Span) bool) {
		for k, at := range message.Members(text, object) {
			if strings.EqualFold(k, key) && !yield(at) {
				return
			}
		}
	}
}
