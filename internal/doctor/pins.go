package doctor

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
	"github.com/mcpfunc/mcpfunc/internal/policy"
)

// pins finds servers whose tools are to be as they were packed, and of which nobody wrote down how they are:
// the app does not serve them.
func (p *Project) pins() []Finding {
	const name, hint = "tools", "run mcpfunc pack, which starts the server and records its tools"
	pins, err := packmanifest.LoadPins(p.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []Finding{failed(name, hint, err)}
	}
	var all []Finding
	for _, s := range p.File.Enabled() {
		e := &config.Error{Path: p.File.Path, Line: s.Line, Server: s.Name, Key: "tools.pin"}
		tools, pinned := pins[s.Name]
		if pinned {
			all = append(all, p.idle(s, tools)...)
		}
		switch {
		case s.Access.Pin == config.PinEnforce && !pinned:
			e.Err = errors.New(`is "enforce", but this server does not have pinned tools, so it is not served`)
			all = append(all, failure(name, hint, "%v", e))
		case s.Access.Pin == config.PinEnforce:
			all = append(all, okay(name, "%s: %d tools are pinned, and only these are served", s.Name, len(tools)))
		case pinned && s.Access.Pin == config.PinOff:
			e.Err = fmt.Errorf(`is "off": a change to one of the %d tools is not reported`, len(tools))
			all = append(all, warning(name, `use "warn" to log the change, "enforce" to refuse the tool`, "%v", e))
		case pinned:
			all = append(all, okay(name, "%s: %d tools are pinned, and changes are logged", s.Name, len(tools)))
		}
	}
	return all
}

// idle finds rules that none of a server's tools is subject to: most likely their names have a slip, and a tool
// that was to be denied is not.
func (p *Project) idle(s config.Server, tools map[string]string) []Finding {
	var all []Finding
	look := func(key, glob string) {
		for tool := range tools {
			if policy.Matches(glob, tool) {
				return
			}
		}
		e := &config.Error{Path: p.File.Path, Line: s.Line, Server: s.Name, Key: key, Err: fmt.Errorf("has %q, which does not match any of the server's %d tools", glob, len(tools))}
		all = append(all, warning("tools", "mcp_lock/"+s.Name+"/tools.json lists their names", "%v", e))
	}
	rules := s.Access.Tools
	for _, glob := range rules.Allow {
		look("tools.allow", glob)
	}
	for _, glob := range rules.Deny {
		look("tools.deny", glob)
	}
	for _, need := range rules.Require {
		look("tools.require", need.Glob)
	}
	return all
}
