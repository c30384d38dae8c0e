package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// A server's name is a segment of its URL, the name of its function and a folder of the scaffold,
// on any disk.
var serverName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// devices are names that Windows gives to no file, whatever their case.
var devices = regexp.MustCompile(`^(?i:con|prn|aux|nul|(com|lpt)[0-9])$`)

// checkName says why a name, written at n, cannot be a server's.
func checkName(n node, name string) error {
	err := CheckName(name)
	if e, ok := err.(*Error); ok {
		e.Path, e.Line, e.Server, e.Key = n.doc.Path, n.line(), n.server, n.key
	}
	return err
}

// CheckName says why a name cannot be a server's, wherever it is written: an *Error, or nil where it
// can.
func CheckName(name string) error {
	fail := func(format string, args ...any) *Error {
		return &Error{Server: name, Err: fmt.Errorf(format, args...)}
	}
	switch {
	case name == "":
		return fail("a server needs a name")
	case !serverName.MatchString(name):
		e := fail(`a name must be up to 63 letters, digits, "-" and "_", and begin with a letter or a digit`)
		if s := suggestName(name); s != "" {
			e.hint("rename it, for example to %q", s)
		}
		return e
	case devices.MatchString(name):
		return fail("Windows reserves this name for a device, so a folder cannot have it").hint("rename it, for example to %q", name+"-server")
	case reserved(name):
		return fail("/api/mcp/%s belongs to the HTTP+SSE transport of the default server", strings.ToLower(name)).hint("rename it, for example to %q", name+"-server")
	}
	return nil
}

// reserved reports whether /api/mcp/NAME is one of the two endpoints that MCP 2024-11-05 needs
// beside /api/mcp itself. Routes know no letter case.
func reserved(name string) bool {
	return strings.EqualFold(name, "sse") || strings.EqualFold(name, "message")
}

// suggestName makes an acceptable name of one that is not, or returns "".
func suggestName(name string) string {
	name = strings.Trim(regexp.MustCompile(`[^A-Za-z0-9_-]+`).ReplaceAllString(name, "-"), "-_")
	if len(name) > 63 || devices.MatchString(name) || reserved(name) {
		return ""
	}
	return name
}

// comment reports whether a member of the servers object is a remark, as people write them into JSON
// that has no comments: text, or a list of it, under a name that no server can have.
func (m member) comment() bool {
	if serverName.MatchString(m.name) && !strings.EqualFold(m.name, "comment") {
		return false
	}
	list := []hujson.Value{m.val}
	if array, ok := m.val.Value.(*hujson.Array); ok {
		list = array.Elements
	}
	return !slices.ContainsFunc(list, func(v hujson.Value) bool { return v.Value.Kind() != '"' })
}

// place makes a member of the servers object speak as the server of that name.
func (m *member) place(server string) {
	m.server, m.at.server = server, server
	m.key, m.at.key = "", ""
}

// clash says why a name conflicts with those that were seen. Functions, and some disks, do not
// tell letter case apart.
func clash(f member, seen map[string]member) error {
	lower := strings.ToLower(f.name)
	other, taken := seen[lower]
	seen[lower] = f
	switch {
	case !taken:
		return nil
	case other.name == f.name:
		return f.at.fail("is written twice, on lines %d and %d", other.at.line(), f.at.line())
	}
	return f.at.fail("differs from %q on line %d only in letter case", other.name, other.at.line()).hint("rename one of them")
}
