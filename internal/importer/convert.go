package importer

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/configedit"
)

// A run converts the entries of one file.
type run struct {
	src    *source
	opts   Options
	result *Result
	kept   []*conversion
	gone   []string // names in the file of what was left out
}

// A conversion is one entry on its way.
type conversion struct {
	*object
	src     *source
	from    string // the name in the file
	found   found
	notes   []Note
	dropped []string // members that were the client's own
	off     bool
	shell   bool // the command is a shell, and an argument its script

	name    string
	renamed bool
	parsed  config.Server
}

// changed notes what differs from the file.
func (c *conversion) changed(key, hint, text string, args ...any) {
	c.notes = append(c.notes, Note{File: c.src.path, Line: c.found.line, Server: c.from, Key: key, Text: fmt.Sprintf(text, args...), Hint: hint})
}

// convert takes every entry that is asked for.
func (r *run) convert() error {
	if as, alone := r.opts.As[""]; alone {
		var called []string
		for _, e := range r.src.entries {
			if r.opts.Only == "" || r.src.calls(e.name, r.opts.Only) {
				called = append(called, e.name)
			}
		}
		if len(called) != 1 {
			return refused(r.src.path, "use --as NAME=OTHER to say which one", "contains %d servers, and %q can name only one of them", len(called), as)
		}
		r.opts.As = map[string]string{called[0]: as}
	}
	names := newNamer(r.src.entries, r.opts.As)
	for was := range r.opts.As {
		if !slices.ContainsFunc(r.src.entries, func(e found) bool { return r.src.calls(e.name, was) }) {
			return r.absent(was)
		}
	}
	// A valid name keeps its server, even if an earlier one could get it.
	var order []int
	for i, e := range r.src.entries {
		if config.CheckName(e.name) == nil {
			order = append(order, i)
		}
	}
	for i, e := range r.src.entries {
		if config.CheckName(e.name) != nil {
			order = append(order, i)
		}
	}
	done := make([]*conversion, len(r.src.entries))
	left := make([]*Note, len(r.src.entries))
	asked := false
	for _, i := range order {
		e := r.src.entries[i]
		if r.opts.Only != "" && !r.src.calls(e.name, r.opts.Only) {
			continue
		}
		asked = true
		done[i], left[i] = r.one(e, names)
	}
	if r.opts.Only != "" && !asked {
		return r.absent(r.opts.Only)
	}
	for i, c := range done {
		if note := left[i]; note != nil {
			note.File, note.Server = r.src.path, r.src.entries[i].name
			if note.Line == 0 {
				note.Line = r.src.entries[i].line
			}
			r.result.LeftOut = append(r.result.LeftOut, *note)
			r.gone = append(r.gone, r.src.entries[i].name)
			continue
		}
		if c == nil {
			continue
		}
		r.kept = append(r.kept, c)
		r.result.Changed = append(r.result.Changed, c.notes...)
		r.result.Servers = append(r.result.Servers, c.server())
	}
	return nil
}

// calls reports whether a person may call the server of that name so.
func (s *source) calls(name, called string) bool {
	return name == called || s.format == registryFormat && sameServer(name, called)
}

// absent is the error of a server that the file does not have.
func (r *run) absent(name string) error {
	var names []string
	for _, e := range r.src.entries {
		names = append(names, e.name)
	}
	err := &config.Error{Path: r.src.path, Err: fmt.Errorf("there is no server %q", name)}
	if len(names) > 0 {
		err.Hint = "there are " + strings.Join(names[:min(len(names), 20)], ", ")
	}
	return err
}

// one converts an entry, or says why it cannot be served.
func (r *run) one(e found, names *namer) (*conversion, *Note) {
	if e.err != nil {
		return nil, e.err
	}
	if strings.HasPrefix(e.name, "//") || strings.HasPrefix(e.name, "# ") {
		return nil, &Note{Text: "is commented out by its name"}
	}
	clone := e.value.Clone()
	o, ok := clone.Value.(*hujson.Object)
	if !ok {
		return nil, &Note{Text: "is not an object, so it is not a server"}
	}
	c := &conversion{object: &object{Object: o}, src: r.src, from: e.name, found: e}
	if note := c.shape(); note != nil {
		return nil, note
	}
	c.switches()
	if note := c.remote(); note != nil {
		return nil, note
	}
	if note := c.tools(); note != nil && !c.off {
		return nil, note
	}
	if note := c.guards(); note != nil && !c.off {
		return nil, note
	}
	c.timeouts()
	c.clients()
	if note := c.program(); note != nil {
		return nil, note
	}
	command, _ := c.command()
	c.shell = slices.Contains([]string{"sh", "bash", "zsh", "dash"}, path.Base(command))
	if note := c.fill(); note != nil {
		return nil, note
	}
	command, args := c.command()
	name, why := names.name(e, r.chosen(e.name), command, args)
	c.name = name
	if name != e.name {
		c.renamed = true
	}
	if why != "" {
		c.changed("", "--as "+shellName(e.name)+"=NAME chooses another name", "%s: it is %q here", why, name)
	}
	if note := c.check(); note != nil {
		return nil, note
	}
	if e.folder != "" && e.files == nil {
		c.changed("", "", "does not include its program, which is not next to the manifest: copy the bundle's files to %s in the project", e.folder)
	}
	for _, text := range e.told {
		c.changed("", "", "%s", text)
	}
	if len(c.dropped) > 0 {
		slices.Sort(c.dropped)
		c.changed("", "", "does not include %s, which only its client uses", strings.Join(slices.Compact(c.dropped), ", "))
	}
	return c, nil
}

// shellName is a name as --as has it.
func shellName(name string) string {
	if strings.ContainsAny(name, " '\"$\\=#~&|;<>()*?!`") {
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}

// chosen is the name that a person has chosen for a server.
func (r *run) chosen(name string) string {
	for was, as := range r.opts.As {
		if r.src.calls(name, was) {
			return as
		}
	}
	return ""
}

// guards says what keeps tools of a server away, or its process from something, and cannot be kept up.
func (c *conversion) guards() *Note {
	for _, m := range c.Members {
		if name := text(m.Name); config.Guard(name, m.Value) {
			return &Note{Key: name, Text: guardReason, Hint: fmt.Sprintf("remove %q if every caller of the server may do everything with it; otherwise host it elsewhere", name)}
		}
	}
	return nil
}

const guardReason = "restricts this server in a way that mcpfunc cannot enforce, so the server is not served"

// check lets config judge the entry, as it will judge it in a project.
func (c *conversion) check() *Note {
	for {
		file, err := config.Parse(c.src.path, c.alone(), nil)
		if err != nil {
			note := noteOf(err)
			if note.Line < c.found.line {
				note.Line = c.found.line
			}
			return &note
		}
		if c.unknown(file.Warnings) {
			continue
		}
		c.parsed = file.Servers[0]
		return nil
	}
}

// alone is a configuration of the one entry, on the lines that it has in its file.
func (c *conversion) alone() []byte {
	above := max(c.found.line-1, 0)
	if above > config.MaxSize/2 {
		above = 0
	}
	name := []byte(hujson.String(c.name))
	text := c.raw()
	if c.found.text == nil { // its lines are not those of the file
		if v, err := hujson.Parse(text); err == nil {
			v.Minimize()
			text = v.Pack()
		}
	}
	return bytes.Join([][]byte{bytes.Repeat([]byte("\n"), above), []byte(`{"mcpServers": {`), name, []byte(": "), text, []byte("}}")}, nil)
}

// raw is the entry as it will be written.
func (c *conversion) raw() []byte {
	return raw(hujson.Value{Value: c.Object}, c.found.indent)
}

// server is what is known in the end.
func (c *conversion) server() Server {
	s := Server{Name: c.name, Was: c.from, Entry: configedit.Entry{Raw: c.raw()}, Parsed: c.parsed}
	if c.found.files != nil {
		s.Files, s.Folder = c.found.files, c.found.folder
	}
	return s
}

// config is a configuration of the servers: the file itself where it may be taken, else a new one.
func (r *run) config() ([]byte, error) {
	if r.src.whole && !r.src.recoded {
		return r.edited()
	}
	data, err := configedit.New()
	for _, s := range r.result.Servers {
		if err == nil {
			data, err = configedit.AddServer(data, s.Name, s.Entry)
		}
	}
	if err != nil {
		return nil, named(r.src.path, err)
	}
	if r.src.runtime != nil {
		runtime := bytes.ReplaceAll(r.src.runtime, []byte("\n"), []byte("\n  "))
		end := bytes.LastIndex(data, []byte("\n}"))
		data = slices.Concat(data[:end], []byte(",\n  \"runtime\": "), runtime, data[end:])
	}
	_, err = config.Parse(r.src.path, data, nil)
	return data, err
}

// edited is the file itself with what was changed in its place, and without what was left out.
func (r *run) edited() ([]byte, error) {
	if len(r.gone) == 0 && !slices.ContainsFunc(r.kept, func(c *conversion) bool { return c.renamed || c.object.changed }) {
		_, err := config.Parse(r.src.path, r.src.data, nil)
		return r.src.data, err
	}
	var out bytes.Buffer
	text, done := r.src.text, 0
	for _, c := range r.kept {
		if c.renamed {
			out.Write(text[done:c.found.nameStart])
			out.WriteString(string(hujson.String(c.name)))
			done = c.found.nameAt
		}
		if c.object.changed {
			start := c.found.value.StartOffset
			out.Write(text[done:start])
			out.Write(hujson.Value{Value: c.Object}.Pack())
			done = c.found.value.EndOffset
		}
	}
	out.Write(text[done:])
	data := out.Bytes()
	for _, name := range r.gone {
		var err error
		if data, err = configedit.RemoveServer(data, name); err != nil {
			return nil, named(r.src.path, err)
		}
	}
	_, err := config.Parse(r.src.path, data, nil)
	return data, err
}

// named is an error of an edit with the file that it is about.
func named(path string, err error) error {
	if e := (*config.Error)(nil); errors.As(err, &e) && e.Path == "" {
		with := *e
		with.Path, with.Line = path, 0
		return &with
	}
	return err
}
