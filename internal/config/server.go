package config

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
)

const (
	day = 24 * 60 * 60 // in seconds

	leaveOut = `set "disabled": true, or remove the server`
)

// A draft is a Server while its keys are read, with what has to be compared once all are.
type draft struct {
	Server
	parser  *parser
	entry   node
	keys    fields
	dir     *member // working_dir or cwd, the later of the two
	command *member
	remote  *member // the first key that only a remote server has
	headers *member // env_from_headers
	claims  *member // env_from_claims
	unknown []member
	require *member // the first that somebody has to meet
}

// servers reads the servers object.
func (p *parser) servers() error {
	fields, err := p.outline.servers.fields()
	if err != nil {
		return err
	}
	seen := make(map[string]member, len(fields)) // by name in lower case
	for _, f := range fields {
		if f.comment() {
			continue
		}
		f.place(f.name)
		s, err := p.named(f, seen)
		if err != nil && p.each {
			s, err = p.faulty(f, err), nil
		}
		if err != nil {
			return err
		}
		p.file.Servers = append(p.file.Servers, s)
	}
	return nil
}

// named reads one entry, if its name may be a server's and is no other's.
func (p *parser) named(f member, seen map[string]member) (Server, error) {
	err := checkName(f.at, f.name)
	if err == nil {
		err = clash(f, seen)
	}
	if e, ok := err.(*Error); ok {
		return Server{}, showsNone(e)
	}
	return p.server(f)
}

// server reads one entry.
func (p *parser) server(m member) (Server, error) {
	members, err := m.members()
	if err != nil {
		return Server{}, err
	}
	d := &draft{parser: p, entry: m.node, Server: Server{
		Name:             m.name,
		Line:             m.at.line(),
		Timeout:          30 * time.Second,
		RestartOnFailure: true,
		MaxRestarts:      3,
		Framing:          FramingAuto,
		Era:              EraAuto,
		Trace:            TracePass,
		Auth:             Auth{Method: AuthNone},
		Sessions:         Sessions{Idle: time.Hour, Hibernate: 5 * time.Minute, MaxAge: 24 * time.Hour, MaxPerPrincipal: 8, Anonymous: true},
	}}
	d.keys = d.fields()
	if d.Enabled, err = switchedOn(members); err != nil {
		return Server{}, err
	}
	if elsewhere := servedElsewhere(members); d.Enabled && elsewhere != nil {
		p.warn(elsewhere)
		d.Enabled = false
		return d.Server, nil
	}
	vars := p.on
	if !d.Enabled {
		vars = p.off
	}
	for _, f := range members {
		if f.null() {
			continue
		}
		f.vars = vars
		if err := d.tolerate(d.set(f)); err != nil {
			return Server{}, err
		}
	}
	if err := d.tolerate(d.checkStart()); err != nil {
		return Server{}, err
	}
	if err := d.tolerate(d.checkFromCaller()); err != nil {
		return Server{}, err
	}
	return d.Server, nil
}

// tolerate turns an error into a warning when the server is switched off, which is enough.
func (d *draft) tolerate(err error) error {
	if e, ok := err.(*Error); ok && !d.Enabled {
		e.Hint = ""
		d.parser.warn(e)
		return nil
	}
	return err
}

// switchedOn reads "enabled" and "disabled", which may both be there if they agree.
func switchedOn(members []member) (bool, error) {
	on := true
	enabled, hasEnabled := find(members, "enabled")
	if hasEnabled {
		var err error
		if on, err = enabled.flag(); err != nil {
			return false, err
		}
	}
	if disabled, ok := find(members, "disabled"); ok {
		off, err := disabled.flag()
		if err != nil {
			return false, err
		}
		if hasEnabled && on == off {
			return false, disabled.fail(`contradicts "enabled" on line %d`, enabled.line()).hint("keep one of the two")
		}
		on = !off
	}
	return on, nil
}

// fields are the keys of an entry.
func (d *draft) fields() fields {
	p := d.parser
	return fields{
		"command":                 d.setCommand,
		"args":                    d.setArgs,
		"env":                     to(&d.Env, environment),
		"envFile":                 to(&d.EnvFile, node.filled),
		"working_dir":             d.setDir,
		"cwd":                     d.setDir,
		"timeout_seconds":         to(&d.Timeout, seconds(1, 3600)),
		"request_timeout_seconds": to(&d.RequestTimeout, seconds(0, day)),
		"restart_on_failure":      to(&d.RestartOnFailure, node.flag),
		"max_restarts":            to(&d.MaxRestarts, whole(0, 100)),
		"framing":                 to(&d.Framing, choice(FramingAuto, FramingNewline, FramingContentLength)),
		"era":                     to(&d.Era, choice(EraAuto, EraLegacy, EraModern, EraBoth)),
		"enabled":                 readElsewhere, // see switchedOn
		"disabled":                readElsewhere,
		"description":             to(&d.Description, node.text),
		"inherit_env":             to(&d.InheritEnv, d.inherited),
		"audit":                   func(m member) error { return m.each(p.warn, fields{"arguments": to(&d.AuditArguments, node.words)}) },
		"trace":                   to(&d.Trace, choice(TracePass, TraceInject)),
		"env_from_headers":        fromCaller(&d.EnvFromHeaders, &d.headers, authenv.CheckHeader),
		"env_from_claims":         fromCaller(&d.EnvFromClaims, &d.claims, authenv.CheckClaim),
		"sandbox":                 d.setSandbox,
		"auth":                    to(&d.Auth, p.auth),
		"sessions":                func(m member) error { return p.sessions(m.node, &d.Sessions) },
		"stateless":               to(&d.Stateless, node.flag),
		"manifest":                to(&d.Manifest, manifestMode),
		"fork":                    unless(&d.NoFork),
		"tools":                   d.setAccess,
		"prompts":                 d.setAccess,
		"resources":               d.setAccess,
		"type":                    checkType,
	}
}

// set reads one key.
func (d *draft) set(m member) error {
	read := d.keys[m.name]
	switch {
	case read != nil:
		return read(m)
	case d.remote == nil && slices.Contains(remoteKeys, m.name):
		d.remote = &m
		return nil
	case Guard(m.name, m.val):
		return guarded(m)
	}
	d.unknown = append(d.unknown, m)
	d.parser.warn(unknownKey(m, d.keys.names()))
	return nil
}

func (d *draft) setCommand(m member) (err error) {
	d.command = &m
	d.Command, err = m.filled()
	d.Command = strings.TrimSpace(d.Command)
	return err
}

func (d *draft) setArgs(m member) (err error) {
	if d.Args, err = m.texts(); err == nil {
		d.parser.secretOptions(d.Name, d.Args)
	}
	return err
}

func (d *draft) setSandbox(m member) (err error) {
	if Guard(m.name, m.val) {
		return m.at.fail("is in the format of another client, which mcpfunc does not support, so it does not serve this server").
			hint(`write {"network": "none", "write": ["folder"]}: see Sandbox in the guide`)
	}
	d.Sandbox, err = d.parser.sandbox(m.node)
	return err
}

// manifestMode reads "manifest": a switch, or that callers may share answers.
func manifestMode(n node) (Manifest, error) {
	if n.val.Value.Kind() == '"' {
		return choice(ManifestShared)(n)
	}
	on, err := n.flag()
	if on || err != nil {
		return ManifestAuto, err
	}
	return ManifestOff, nil
}

// setDir reads one of two names for the same; they must agree.
func (d *draft) setDir(m member) error {
	dir, err := m.filled()
	if err != nil {
		return err
	}
	if d.dir != nil && dir != d.Dir {
		return m.fail("contradicts %q on line %d", d.dir.name, d.dir.line()).hint("keep one of the two")
	}
	d.dir, d.Dir = &m, dir
	return nil
}

// servedElsewhere says why an entry is left out, nothing else of it being read: clients reach the server
// without us, by a transport that is not ours. It returns nil for any other entry.
func servedElsewhere(members []member) *Error {
	if m, ok := find(members, "type"); ok && m.val.Value.Kind() == '"' {
		switch kind := m.written(); {
		case kind == "stdio" || kind == "local" || strings.Contains(kind, "${") || Nearest(kind, []string{"stdio"}) != "":
		case slices.Contains(remoteTypes, kind):
			return m.fail("is %q: a remote server already has a URL, so it is skipped", kind)
		default:
			return m.fail(`is %q, but mcpfunc serves only "stdio", so this server is skipped`, kind)
		}
	}
	if _, ok := find(members, "command"); ok {
		return nil
	}
	for _, name := range remoteKeys {
		if m, ok := find(members, name); ok {
			return m.fail("makes it a remote server, which already has a URL, so it is skipped")
		}
	}
	return nil
}

var (
	remoteTypes = []string{"http", "sse", "streamable-http", "streamableHttp", "remote", "ws"}
	remoteKeys  = []string{"url", "serverUrl", "httpUrl"}
)

// checkType refuses every transport but ours. The word must be written in the file: whether there is
// something to scaffold cannot wait for a variable.
func checkType(m member) error {
	m.vars = nil
	s, err := m.text()
	switch {
	case err != nil:
		return err
	case s == "stdio" || s == "local":
		return nil
	case slices.Contains(remoteTypes, s):
		return m.fail("is %q, but mcpfunc serves only programs that speak stdio", s).hint(leaveOut)
	}
	e := m.fail(`must be "stdio", not %q`, s)
	if Nearest(s, []string{"stdio"}) == "" {
		return e.hint(leaveOut)
	}
	return e.hint(`did you mean "stdio"?`)
}

// environment reads "env". Numbers and booleans become their text exactly as it is written, and null
// leaves its variable alone, as it does in VS Code.
func environment(n node) (map[string]string, error) {
	members, err := n.members()
	if err != nil {
		return nil, err
	}
	env := make(map[string]string, len(members))
	for _, m := range members {
		if m.name == "" || strings.ContainsAny(m.name, "=\x00") {
			return nil, m.at.fail(`is not a valid variable name: it must not be empty or contain "="`)
		}
		switch m.val.Value.Kind() {
		case '"':
			if env[m.name], err = m.text(); err != nil {
				return nil, err
			}
		case '0', 't', 'f':
			env[m.name] = string(m.val.Value.(hujson.Literal))
		case 'n':
		default:
			return nil, m.fail("must be a string, a number, true or false, not %s", kind(m.val))
		}
	}
	return env, nil
}

// inherited reads "inherit_env": names, or globs as of path.Match.
func (d *draft) inherited(n node) ([]string, error) {
	names, err := n.words()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := path.Match(name, ""); err != nil || strings.Contains(name, "=") {
			return nil, n.fail("must be a list of names or globs, and %q is neither", name)
		}
		if strings.Trim(name, "*") == "" {
			d.parser.warn(n.fail("passes every variable of the app to the server, except those that are never passed").hint("name the variables that the server needs"))
		}
	}
	return names, nil
}

// checkStart says why the entry describes no program that can be started.
func (d *draft) checkStart() error {
	if d.command == nil {
		if d.remote != nil {
			return d.remote.fail("makes it a remote server, but mcpfunc serves only programs that speak stdio").hint(leaveOut)
		}
		e := d.entry.missing("command", "is missing")
		for _, m := range d.unknown {
			if Nearest(m.name, d.keys.names()) == "command" {
				e.Line = m.at.line()
				return e.hint("did you mean %q by %q?", "command", m.name)
			}
		}
		return e
	}
	if d.remote != nil {
		d.parser.warn(d.remote.fail("has no effect together with \"command\""))
	}
	if err := d.checkRequire(); err != nil {
		return err
	}
	return d.checkWords()
}

// checkWords complains of a command line where a program should be. A path may hold blanks; the name
// of a program that is looked for on PATH rarely does. It goes by what is written and not by
// what variables made of it, which may be secret.
func (d *draft) checkWords() error {
	written := d.command.written()
	words := strings.Fields(written)
	if len(words) < 2 || strings.Contains(words[0], "${") {
		return nil
	}
	if strings.ContainsAny(words[0], `/\`) {
		if len(d.Args) == 0 {
			d.parser.warn(d.command.fail("is used as a whole as the path of a program").hint(`if %q is the program, move the rest to "args"`, words[0]))
		}
		return nil
	}
	e := d.command.fail("must be the program alone, because no shell splits it").
		hint(`write "command": %q, "args": [%s]`, words[0], quoteAll(words[1:]))
	if len(d.Args) == 0 {
		return e
	}
	d.parser.warn(e)
	return nil
}
