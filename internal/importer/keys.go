package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A unit is what a number of a time-out counts.
type unit int

const (
	bySize unit = iota
	seconds
	milliseconds
)

func (u unit) String() string {
	return map[unit]string{seconds: "seconds", milliseconds: "milliseconds"}[u]
}

// shape renames members of clients to those of config.
func (c *conversion) shape() *Note {
	if t := c.get("transport"); t != nil { // Continue's first form
		if o, ok := t.Value.(*hujson.Object); ok {
			for _, key := range []string{"command", "args", "env", "cwd", "url", "type"} {
				if v := member(o, key); v != nil && c.get(key) == nil {
					c.drop(key)
					c.put(key, v.Value)
				}
			}
			c.drop("transport")
		}
	}
	for _, n := range [][2]string{{"cmd", "command"}, {"environment", "env"}, {"envs", "env"}, {"workingDirectory", "cwd"}, {"working_directory", "cwd"}, {"arguments", "args"}} {
		if from, to := n[0], n[1]; c.get(from) != nil && c.get(to) == nil {
			c.drop(to) // null
			c.rename(from, to)
		}
	}
	switch v := c.get("command"); {
	case v == nil:
	case v.Value.Kind() == '[': // opencode
		words, ok := asStrings(v)
		if !ok || len(words) == 0 {
			return &Note{Key: "command", Text: "must be a list of strings, and not empty"}
		}
		rest, _ := asStrings(c.get("args"))
		c.put("command", hujson.String(words[0]))
		if rest = append(slices.Clone(words[1:]), rest...); len(rest) > 0 {
			c.putBehind("command", "args", stringList(rest))
		}
	case v.Value.Kind() == '{': // Zed before 2025
		o := &object{Object: v.Value.(*hujson.Object)}
		program, ok := o.str("path")
		if !ok {
			program, ok = o.str("command")
		}
		if !ok {
			return &Note{Key: "command", Text: "does not name a program"}
		}
		args, env := o.get("args"), o.get("env")
		c.put("command", hujson.String(program))
		if args != nil {
			c.put("args", args.Value)
		}
		if env != nil {
			c.put("env", env.Value)
		}
	}
	// Codex and Goose name variables that are to pass; here they are set from the app's.
	for _, key := range []string{"env_vars", "env_keys", "envKeys"} {
		v := c.get(key)
		if v == nil {
			continue
		}
		for _, name := range names(*v) {
			c.setEnv(name, "${"+name+"}", false)
		}
		c.drop(key)
	}
	return nil
}

// names are the strings of a list, or the names in its objects.
func names(v hujson.Value) []string {
	array, ok := v.Value.(*hujson.Array)
	if !ok {
		return nil
	}
	var list []string
	for _, e := range array.Elements {
		name, ok := asString(e)
		if o, isObject := e.Value.(*hujson.Object); isObject {
			if n := member(o, "name"); n != nil {
				name, ok = asString(*n)
			}
		}
		if ok && variableFor(name) != "" {
			list = append(list, name)
		}
	}
	return list
}

// setEnv sets a variable of "env"; one that is set already only with over.
func (c *conversion) setEnv(name, value string, over bool) {
	v := c.get("env")
	if v == nil {
		c.drop("env")
		c.put("env", &hujson.Object{})
		v = c.get("env")
	}
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		return
	}
	env := &object{Object: o}
	if over || env.get(name) == nil {
		env.put(name, hujson.String(value))
		c.object.changed = true
	}
}

// switches brings what switches a server off into "disabled".
func (c *conversion) switches() {
	off := isFalse(c.get("enabled")) || isTrue(c.get("disabled"))
	for _, key := range []string{"isActive", "active", "is_active"} {
		v := c.get(key)
		if v == nil {
			continue
		}
		if isFalse(v) && !off {
			off = true
			c.switchOff(fmt.Sprintf("%q is false there", key))
		}
		c.drop(key)
	}
	if why, listed := c.src.off[c.from]; listed && !off {
		off = true
		c.switchOff(why)
	}
	if c.src.only != nil && !off && !slices.Contains(c.src.only, c.from) {
		off = true
		c.switchOff("the file does not allow it")
	}
	c.off = off
}

// switchOff writes that a server is off.
func (c *conversion) switchOff(why string) {
	c.drop("enabled")
	c.put("disabled", hujson.Bool(true))
	c.changed("", "", "stays disabled: %s", why)
}

// A timeout is a member that bounds a time.
type timeout struct {
	key  string
	unit unit
	to   string
}

// timeouts brings time-outs into seconds, and to the member that means the same.
func (c *conversion) timeouts() {
	general := timeout{"timeout", c.src.dialect.timeout, "request_timeout_seconds"}
	if c.src.dialect.starts {
		general.to = "timeout_seconds"
	}
	for _, t := range []timeout{
		{"startup_timeout_sec", seconds, "timeout_seconds"},
		{"startup_timeout_ms", milliseconds, "timeout_seconds"},
		{"startupTimeoutMs", milliseconds, "timeout_seconds"},
		{"startupTimeout", bySize, "timeout_seconds"},
		{"initTimeout", milliseconds, "timeout_seconds"},
		{"connectionTimeout", milliseconds, "timeout_seconds"},
		{"tool_timeout_sec", seconds, "request_timeout_seconds"},
		{"toolTimeoutMs", milliseconds, "request_timeout_seconds"},
		{"requestTimeoutMs", milliseconds, "request_timeout_seconds"},
		{"requestTimeout", bySize, "request_timeout_seconds"},
		general,
	} {
		v := c.get(t.key)
		if v == nil {
			continue
		}
		n, ok := asNumber(*v)
		if !ok || n < 0 {
			c.dropped = append(c.dropped, t.key)
			c.drop(t.key)
			continue
		}
		if t.unit == bySize { // no client waits for an hour, or less than four seconds
			t.unit = seconds
			if n > 3600 {
				t.unit = milliseconds
			}
		}
		spans := n
		if t.unit == milliseconds {
			spans /= 1000
		}
		least, most := 1.0, 3600.0
		if t.to == "request_timeout_seconds" {
			least, most = 0, 86400
		}
		spans = min(max(spans, least), most)
		if c.get(t.to) != nil {
			c.drop(t.key)
			continue
		}
		number := hujson.Literal(strconv.FormatFloat(spans, 'f', -1, 64))
		c.drop(t.to)
		c.rename(t.key, t.to)
		c.put(t.to, number)
		c.changed(t.key, "", "is %s %s, which is %q: %s here", strconv.FormatFloat(n, 'f', -1, 64), t.unit, t.to, number)
	}
}

// own are members that matter to the client alone.
var own = strings.Fields(`autoApprove autoapprove alwaysAllow trust gallery watchPaths alwaysLoad name version source transport
	transportType headers url serverUrl httpUrl uri networkTimeout icon icons iconPath bundled display_name displayName startup
	requiresOAuth oauth chatMenu serverInstructions customUserVars metadata tags provider registryUrl logoUrl required
	supports_parallel_tool_calls default_tools_approval_mode dev settings instructions note notes comment _comment //`)

// clients takes out what is the client's own business, and says so once.
func (c *conversion) clients() {
	for _, m := range slices.Clone(c.Members) {
		name := text(m.Name)
		if config.Guard(name, m.Value) {
			continue
		}
		if name == "sandbox" && config.OwnSandbox(m.Value) || name == "tools" && config.OwnTools(m.Value) {
			continue
		}
		guard := slices.Contains(harmless, name)
		if slices.Contains(own, name) || guard || strings.HasPrefix(name, "_") || strings.HasPrefix(name, "//") {
			c.drop(name)
			if !guard && name != "name" && name != "source" && name != "transport" && name != "transportType" {
				c.dropped = append(c.dropped, name)
			}
		}
	}
	if s, ok := c.str("type"); ok && !nearStdioOnly(s) {
		c.drop("type")
	}
}

// harmless are members that guard a server, with a value that does not.
var harmless = []string{"disabledTools", "disabled_tools", "excludeTools", "exclude_tools", "includeTools", "include_tools",
	"enabledTools", "enabled_tools", "allowedTools", "available_tools", "tools", "sandbox", "sandboxEnabled"}

// nearStdioOnly reports whether a type is left to config: it has one, or a slip of it.
func nearStdioOnly(kind string) bool { return kind == "stdio" || nearStdio(kind) }

// unknown takes out the members that config does not know, unless it knows what was meant.
func (c *conversion) unknown(warnings []config.Warning) (again bool) {
	for _, w := range warnings {
		if w.Hint == "" && strings.HasSuffix(w.Text, "is not a known key") && !strings.Contains(w.Key, ".") && c.index(w.Key) >= 0 {
			c.drop(w.Key)
			c.dropped = append(c.dropped, w.Key)
			again = true
		}
	}
	return again
}

// fill replaces what is not filled in, and what a client replaces itself, in every string.
func (c *conversion) fill() *Note {
	rewrite := func(key string, v *hujson.Value) *Note {
		s, ok := asString(*v)
		if !ok {
			return nil
		}
		to, note := c.variables(key, s)
		if note == nil && to != s {
			v.Value = hujson.String(to)
			c.object.changed = true
		}
		return note
	}
	for _, key := range []string{"command", "cwd", "working_dir", "envFile"} {
		if v := c.get(key); v != nil {
			if note := rewrite(key, v); note != nil {
				return note
			}
			if text(*v) == "" && c.object.changed && (key == "cwd" || key == "working_dir") {
				c.drop(key) // where the app is
			}
		}
	}
	if v := c.get("args"); v != nil {
		if array, ok := v.Value.(*hujson.Array); ok {
			before := ""
			for i := range array.Elements {
				e := &array.Elements[i]
				if note := rewrite("args", e); note != nil {
					return note
				}
				s, ok := asString(*e)
				if !ok {
					continue
				}
				if to := c.argument(before, s); to != s && !c.shell {
					e.Value = hujson.String(to)
					c.object.changed = true
				}
				before = s
			}
		}
	}
	if v := c.get("env"); v != nil {
		if o, ok := v.Value.(*hujson.Object); ok {
			for i := range o.Members {
				name, value := text(o.Members[i].Name), &o.Members[i].Value
				if s, ok := asString(*value); ok && unfilled(s) && variableFor(name) != "" && !(c.src.dialect.users && perUser.MatchString(s)) {
					variable := name
					if !validName(name) {
						variable = variableFor(name)
					}
					value.Value = hujson.String("${" + variable + "}")
					c.object.changed = true
					c.changed("env."+name, "", "is a placeholder: it is read from ${%s}", variable)
					continue
				}
				if note := rewrite("env."+name, value); note != nil {
					return note
				}
			}
		}
	}
	return nil
}

func validName(s string) bool {
	m := dollar.FindString("$" + s)
	return m == "$"+s
}
