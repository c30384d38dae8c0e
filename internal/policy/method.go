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

// about says of which kind a method is. One that is written in another case, or that no revision of MCP has,
// is unknown: there may be servers that take it for what it looks like.
//
// Tasks are not among them: a caller with the ID of one was allowed the call that made it.
func about(method string) (kind, how) {
	switch method {
	case "tools/call":
		return tools, byName
	case "tools/list":
		return tools, lists
	case "prompts/get":
		return prompts, byName
	case "prompts/list":
		return prompts, lists
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		return resources, byURI
	case "resources/list", "resources/templates/list":
		return resources, lists
	case "completion/complete":
		return prompts, refers
	case "subscriptions/listen":
		return resources, subscribes
	}
	room, _, ok := strings.Cut(method, "/")
	for _, like := range [...]struct {
		room string
		kind kind
	}{{"tools", tools}, {"prompts", prompts}, {"resources", resources}, {"completion", prompts}, {"subscriptions", resources}} {
		if ok && strings.EqualFold(room, like.room) {
			return like.kind, unknown
		}
	}
	return tools, unrelated
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
