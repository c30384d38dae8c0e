package manifest

import (
	"encoding/json"
	"slices"
)

// A beginning is how a client begins: its protocol version, and its capabilities in a form in which equal ones are
// equal. It is zero where a client leaves out one of them, or does not give it as the specification has it: what a
// server answers to that is not known.
type beginning struct {
	version      string
	capabilities string
	names        []string // of capabilities
}

func begin(version, capabilities json.RawMessage) beginning {
	var b beginning
	var all map[string]map[string]any
	if json.Unmarshal(version, &b.version) != nil || json.Unmarshal(capabilities, &all) != nil || all == nil {
		return beginning{}
	}
	for name, settings := range all {
		switch {
		case settings == nil:
			return beginning{}
		case (name == "experimental" || name == "extensions") && len(settings) == 0: // which say nothing
			delete(all, name)
		default:
			b.names = append(b.names, name)
		}
	}
	text, _ := json.Marshal(all) // which Unmarshal has read
	b.capabilities = string(text)
	return b
}

// named reports whether info is the clientInfo of a client, which has a name and a version.
func named(info json.RawMessage) bool {
	var client map[string]any
	_ = json.Unmarshal(info, &client) // what is not an object does not have a name either
	_, name := client["name"].(string)
	_, version := client["version"].(string)
	return name && version
}

var tried = begin(json.RawMessage(`""`), Tried).names

// takes reports whether a client that begins like this is answered as in t.
func (t *Talk) takes(b beginning) bool {
	untried := func(name string) bool { return !slices.Contains(tried, name) }
	return b.version == t.of.Version && (b.capabilities == t.capabilities || t.of.Capabilities == nil && !slices.ContainsFunc(b.names, untried))
}
