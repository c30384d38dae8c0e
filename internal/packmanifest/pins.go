package packmanifest

import (
	"encoding/json"
	"fmt"
)

// PinsName is the file in Folder that says what tools servers had when they were packed.
const PinsName = "mcp_tools.json"

// Pins are digests of what tools tell a model, by server and tool. A server that nobody asked has none, and
// one without tools an empty map.
type Pins map[string]map[string]string

type pinsFile struct {
	Format  int  `json:"format"`
	Servers Pins `json:"servers"`
}

// LoadPins reads the pins of the project in dir. A project without any gives an error that is fs.ErrNotExist.
func LoadPins(dir string) (Pins, error) { return load(dir, PinsName, parsePins) }

// parsePins is strict: a pin that is not understood would be none.
func parsePins(data []byte) (Pins, error) {
	var f pinsFile
	if err := decode(data, &f); err != nil {
		return nil, err
	}
	for server, tools := range f.Servers {
		for tool, sum := range tools {
			if !digest.MatchString(sum) {
				return nil, fmt.Errorf("server %q: the digest of the tool %q is not 64 hexadecimal digits", server, tool)
			}
		}
	}
	return f.Servers, nil
}

// Encode writes p as LoadPins reads it: the same bytes for the same pins.
func (p Pins) Encode() ([]byte, error) {
	if p == nil {
		p = Pins{}
	}
	data, err := json.MarshalIndent(pinsFile{Format, p}, "", "  ")
	return append(data, '\n'), err
}
