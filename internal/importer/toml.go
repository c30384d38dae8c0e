package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// openTOML finds the servers of Codex's config.toml: mcp_servers.NAME.
func openTOML(path string, text []byte) (*source, error) {
	if err := tooLarge(path, text); err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := toml.Unmarshal(text, &doc); err != nil {
		e := &config.Error{Path: path, Err: errors.New("is not TOML")}
		if d := (*toml.DecodeError)(nil); errors.As(err, &d) {
			e.Line, _ = d.Position()
		}
		return nil, e
	}
	src := &source{path: path, format: "Codex's config.toml"}
	order := tomlOrder(text)
	servers, key := doc["mcp_servers"], "mcp_servers"
	if servers == nil {
		servers, key = doc["mcpServers"], "mcpServers"
	}
	switch servers := servers.(type) {
	case map[string]any:
		names := slices.SortedFunc(maps.Keys(servers), func(a, b string) int { return order.compare(key, a, b) })
		for _, name := range names {
			if err := src.add(name, order.line(key, name), fromTOML(servers[name])); err != nil {
				return nil, err
			}
		}
	case []any: // [[mcp_servers]], with the name inside
		for i, s := range servers {
			if err := src.addNamed(i, order.line(key, strconv.Itoa(i)), fromTOML(s)); err != nil {
				return nil, err
			}
		}
	default:
		switch {
		case doc["project"] != nil || doc["build-system"] != nil || doc["tool"] != nil:
			return nil, refused(path, "mcpfunc init --server NAME -- uvx PACKAGE==VERSION serves a package from PyPI", "is a Python project's pyproject.toml, which contains no servers")
		case doc["package"] != nil:
			return nil, refused(path, "", "is a Cargo manifest, which contains no servers")
		}
		return nil, refused(path, "Codex keeps its servers in [mcp_servers.NAME]", "contains no servers: mcpfunc reads TOML of Codex, and this file has no [mcp_servers.NAME]")
	}
	return src, nil
}

// fromTOML is a decoded value as a tree, the usual members first, as a table has lost its order.
func fromTOML(v any) any {
	switch v := v.(type) {
	case map[string]any:
		first := []string{"name", "command", "args", "env"}
		names := slices.SortedFunc(maps.Keys(v), func(a, b string) int {
			i, j := slices.Index(first, a), slices.Index(first, b)
			if i < 0 {
				i = len(first)
			}
			if j < 0 {
				j = len(first)
			}
			if i != j {
				return i - j
			}
			return strings.Compare(a, b)
		})
		members := make([]pair, len(names))
		for i, name := range names {
			members[i] = pair{name, fromTOML(v[name])}
		}
		return members
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = fromTOML(e)
		}
		return list
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		return number(v)
	case string, bool, nil:
		return v
	default:
		return fmt.Sprint(v) // dates and times
	}
}

// A tableOrder knows where tables begin, by their first two keys.
type tableOrder map[[2]string]int

func (o tableOrder) line(key, name string) int { return o[[2]string{key, name}] }

// compare orders two tables by their place in the file, and by name where it is one.
func (o tableOrder) compare(key, a, b string) int {
	if i, j := o.line(key, a), o.line(key, b); i != j {
		return i - j
	}
	return strings.Compare(a, b)
}

// tomlOrder finds the tables of a document that is well formed.
func tomlOrder(text []byte) tableOrder {
	order, elements := tableOrder{}, map[string]int{}
	p := unstable.Parser{}
	p.Reset(text)
	var table []string
	for p.NextExpression() {
		e := p.Expression()
		var keys []string
		line := 0
		for it := e.Key(); it.Next(); {
			if line == 0 {
				line = p.Shape(it.Node().Raw).Start.Line
			}
			keys = append(keys, string(it.Node().Data))
		}
		switch e.Kind {
		case unstable.ArrayTable:
			table = keys
			if len(keys) == 1 {
				keys = append(keys, strconv.Itoa(elements[keys[0]]))
				elements[keys[0]]++
			}
		case unstable.Table:
			table = keys
		default:
			keys = slices.Concat(table, keys)
		}
		if len(keys) < 2 {
			continue
		}
		if at := [2]string{keys[0], keys[1]}; order[at] == 0 {
			order[at] = line
		}
	}
	return order
}
