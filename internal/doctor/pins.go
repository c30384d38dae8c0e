package doctor

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// pins finds servers whose tools are to be as they were packed, and of which nobody wrote down how they are:
// the app does not serve them.
func (p *Project) pins() []Finding {
	const name, hint = "tools", "mcpfunc pack starts the server and writes down its tools"
	pins, err := packmanifest.LoadPins(p.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []Finding{failed(name, hint, err)}
	}
	var all []Finding
	for _, s := range p.File.Enabled() {
		e := &config.Error{Path: p.File.Path, Line: s.Line, Server: s.Name, Key: "tools.pin"}
		switch tools, pinned := pins[s.Name]; {
		case s.Access.Pin == config.PinEnforce && !pinned:
			e.Err = errors.New(`is "enforce", but no tool of this server is pinned, so that it is not served`)
			all = append(all, failure(name, hint, "%v", e))
		case s.Access.Pin == config.PinEnforce:
			all = append(all, okay(name, "%s: %d are pinned, and no other is served", s.Name, len(tools)))
		case pinned && s.Access.Pin == config.PinOff:
			e.Err = fmt.Errorf(`is "off": nobody is told when one of the %d tools changes`, len(tools))
			all = append(all, warning(name, `"warn" tells, "enforce" does not serve it`, "%v", e))
		case pinned:
			all = append(all, okay(name, "%s: %d are pinned, and the log tells of changes", s.Name, len(tools)))
		}
	}
	return all
}
