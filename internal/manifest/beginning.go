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
	if json.Unmarshal(version, &b.version) != nil {
		return beginning{}
	}
	var all map[string]map[string]any
	if json.Unmarshal(capabilities, &all) != nil || all == nil {
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
	text, err := json.Marshal(all)
	if err != nil {
		panic("manifest: " + err.Error()) // of what Unmarshal has read
	}
	b.capabilities = string(text)
	return b
}

// named reports whether info is the clientInfo of a client, which has a name and a version.
func named(info json.RawMessage) bool {
	var client map[string]any
	if json.Unmarshal(info, &client) != nil {
		return false
	}
	_, name := client["name"].(string)
	_, version := client["version"].(string)
	return name && version
}

var tried = begin(json.RawMessage(`""`), Tried).names

// takes reports whether a client that begins like this is answered as in t.
func (t *Talk) takes(b beginning) bool {
	switch {
	case b.version == "" || b.version != t.of.Version:
		return false
	case t.of.Capabilities != nil:
		return b.capabilities == t.capabilities
	}
	return !slices.ContainsFunc(b.names, func(name string) bool { return !slices.Contains(tried, name) })
}
