package config

import "strings"

// inputs reads VS Code's "inputs", which are next to the servers object and resolve no variables.
func (p *parser) inputs() error {
	beside := p.outline.top
	if p.outline.shape == ShapeMCPDotMany || p.outline.shape == ShapeMCPDotOne {
		beside = p.outline.mcp
	}
	m, ok := find(beside, "inputs")
	if !ok {
		return nil
	}
	byID, byEnv := map[string]Input{}, map[string]string{}
	inputs, err := listOf(m.node, "objects", func(n node) (Input, error) {
		input, err := readInput(n)
		if err != nil {
			return input, err
		}
		if _, twice := byID[input.ID]; twice {
			return input, n.fail("contains the id %q twice", input.ID)
		}
		if other, taken := byEnv[input.EnvName]; taken {
			p.warn(n.fail("asks for %q and %q, which are both read from %s", other, input.ID, input.EnvName))
		}
		byID[input.ID], byEnv[input.EnvName] = input, input.ID
		return input, nil
	})
	p.file.Inputs, p.on.inputs, p.off.inputs = inputs, byID, byID
	return err
}

// readInput takes what the runtime has a use for; what else an input holds (options, command
// arguments) is for the editor.
func readInput(n node) (in Input, err error) {
	err = n.each(func(*Error) {}, fields{
		"id":          to(&in.ID, node.filled),
		"type":        to(&in.Type, node.text),
		"description": to(&in.Description, node.text),
		"password":    to(&in.Password, node.flag),
		"default":     to(&in.Default, node.text),
	})
	if err == nil && in.ID == "" {
		err = n.missing("id", "is missing")
	}
	in.EnvName = envName(in.ID)
	return in, err
}

// envName is the environment variable that stands for the input id.
func envName(id string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, id)
	if name != "" && '0' <= name[0] && name[0] <= '9' {
		return "_" + name
	}
	return name
}
