package config

import (
	"fmt"
	"path"
	"strings"

	"github.com/tailscale/hujson"
)

// A Sandbox is what a server may reach. The zero value asks for nothing.
type Sandbox struct {
	NoNetwork bool     // network is "none", or a list of ports
	Ports     []int    // of that list
	ReadOnly  bool     // there is a write
	Write     []string // folders of it
	Optional  bool     // required is false
}

// String is the sandbox in a few words; empty for none.
func (s Sandbox) String() string {
	var words []string
	switch {
	case len(s.Ports) > 0:
		words = append(words, "ports "+strings.Trim(fmt.Sprint(s.Ports), "[]"))
	case s.NoNetwork:
		words = append(words, "no network")
	}
	switch {
	case len(s.Write) > 0:
		words = append(words, "writes "+strings.Join(s.Write, " "))
	case s.ReadOnly:
		words = append(words, "read-only")
	}
	return strings.Join(words, ", ")
}

// OwnSandbox reports whether the value of a "sandbox" is one of ours, and no guard of another client's form.
func OwnSandbox(value hujson.Value) bool {
	object, ok := value.Value.(*hujson.Object)
	if !ok {
		return false
	}
	own, keys := len(object.Members) == 0, new(Sandbox).fields()
	for _, m := range object.Members {
		name, ok := m.Name.Value.(hujson.Literal)
		if !ok || m.Value.Value.Kind() == '{' {
			return false
		}
		own = own || keys[name.String()] != nil
	}
	return own
}

// sandbox reads "sandbox". What is not understood of it is an error, as it would not be kept up.
func (p *parser) sandbox(n node) (s Sandbox, err error) {
	err = n.each(nil, s.fields())
	if err == nil && !s.NoNetwork && !s.ReadOnly {
		p.warn(n.fail("does not restrict this server").hint(`write "network": "none" or a list of ports, or "write": a list of folders`))
	}
	return s, err
}

func (s *Sandbox) fields() fields {
	return fields{
		"network": func(m member) (err error) {
			s.NoNetwork, s.Ports, err = m.network()
			return err
		},
		"write": func(m member) (err error) {
			s.ReadOnly = true
			s.Write, err = m.folders()
			return err
		},
		"required": unless(&s.Optional),
	}
}

// network reads "all", "none" or a list of ports. It must be written in the file: what is kept from a server cannot wait for
// a variable.
func (n node) network() (none bool, ports []int, err error) {
	n.vars = nil
	if n.val.Value.Kind() != '[' {
		if n.val.Value.Kind() != '"' {
			return false, nil, n.fail(`must be "all", "none" or a list of ports, not %s`, kind(n.val))
		}
		word, err := choice("all", "none")(n)
		return word == "none", nil, err
	}
	ports, err = listOf(n, "ports", whole(1, 65535))
	if err == nil && len(ports) == 0 {
		err = n.fail("must not be empty").hint(`write "none"`)
	}
	return err == nil, ports, err
}

// folders reads a list of folders.
func (n node) folders() ([]string, error) {
	list, err := n.texts()
	if err != nil {
		return nil, err
	}
	for _, dir := range list {
		switch {
		case n.pending(dir):
		case strings.TrimSpace(dir) == "":
			return nil, n.fail("must not contain an empty name")
		case path.Clean(dir) == "/":
			return nil, n.fail("contains the root folder").hint(`name the folders, or omit "write"`)
		case strings.HasPrefix(dir, "~"):
			return nil, n.fail("contains %q, and no shell expands it", dir).hint("write ${HOME}, or omit it: each server has its own home folder")
		}
	}
	return list, nil
}
