package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// maxNodes bounds what aliases may blow a document up to.
const maxNodes = 100_000

var yamlErrorLine = regexp.MustCompile(`line (\d+)`)

// openYAML finds the servers of Goose ("extensions"), LibreChat ("mcpServers", by name), Continue
// ("mcpServers", a list), and Copilot's agents ("mcp-servers", in front of their text).
func openYAML(path string, text []byte) (*source, error) {
	if err := tooLarge(path, text); err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		e := &config.Error{Path: path, Err: errors.New("is not YAML")}
		if m := yamlErrorLine.FindStringSubmatch(err.Error()); m != nil {
			e.Line, _ = strconv.Atoi(m[1])
		}
		return nil, e
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil, empty(path, len(strings.TrimSpace(string(text))) > 0)
	}
	root := doc.Content[0]
	src := &source{path: path}
	for _, place := range []struct {
		key, below, format string
		dialect            dialect
	}{
		{"mcpServers", "", "LibreChat's librechat.yaml", dialect{timeout: milliseconds, users: true}},
		{"extensions", "", "Goose's config.yaml", dialect{timeout: seconds}},
		{"mcp_servers", "", "a list of servers", dialect{}},
		{"mcp-servers", "", "an agent of Copilot", dialect{}},
		{"mcp", "servers", "a list of servers", dialect{}},
	} {
		servers := yamlMember(root, place.key)
		if servers != nil && place.below != "" {
			servers = yamlMember(servers, place.below)
		}
		if servers == nil {
			continue
		}
		src.format, src.dialect = place.format, place.dialect
		if servers.Kind == yaml.SequenceNode && place.key == "mcpServers" {
			src.format, src.dialect = "Continue's config.yaml", dialect{}
		}
		if err := src.addYAML(servers); err != nil {
			return nil, err
		}
		if place.key == "mcp-servers" {
			src.agentTools(yamlStrings(yamlMember(root, "tools")))
		}
		return src, nil
	}
	return nil, refusedYAML(path, root)
}

// addYAML adds the servers of a mapping or of a list.
func (s *source) addYAML(servers *yaml.Node) error {
	y := &yamlReader{}
	for servers.Kind == yaml.AliasNode {
		servers = servers.Alias
	}
	switch servers.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(servers.Content); i += 2 {
			v, err := y.tree(servers.Content[i+1], 0)
			if err == nil {
				err = s.add(servers.Content[i].Value, servers.Content[i].Line, v)
			}
			if err != nil {
				return s.broken(servers.Content[i].Line, err)
			}
		}
	case yaml.SequenceNode:
		for i, n := range servers.Content {
			v, err := y.tree(n, 0)
			if err == nil {
				err = s.addNamed(i, n.Line, v)
			}
			if err != nil {
				return s.broken(n.Line, err)
			}
		}
	default:
		return s.broken(servers.Line, errors.New("contains servers that are neither a mapping nor a list"))
	}
	return nil
}

// broken is an error of a tree with its place.
func (s *source) broken(line int, err error) error {
	if errors.As(err, new(*config.Error)) {
		return err
	}
	return &config.Error{Path: s.path, Line: line, Err: err}
}

// refusedYAML names a document that holds no servers for us.
func refusedYAML(path string, root *yaml.Node) error {
	has := func(names ...string) bool {
		for _, name := range names {
			if yamlMember(root, name) == nil {
				return false
			}
		}
		return true
	}
	const elsewhere = "a server of the catalog that is also on npm or PyPI can be served as that package"
	switch {
	case has("registry"), has("image", "type"), has("image", "name"):
		return refused(path, elsewhere, "is from Docker's MCP catalog, whose servers are containers, but an app on Azure Functions cannot start containers")
	case has("services"):
		return refused(path, "", "is a Compose file, whose services are containers, but an app on Azure Functions cannot start containers")
	case has("startCommand"):
		return refused(path, "mcpfunc init --server NAME -- COMMAND ARGS... accepts the command itself", "is a smithery.yaml, whose command is a program of Smithery, not a configuration")
	case has("apiVersion", "kind"):
		return refused(path, "", "is a Kubernetes manifest, which contains no servers")
	}
	return refused(path, "", `contains no servers: mcpfunc reads YAML of Goose ("extensions"), Continue and LibreChat ("mcpServers"), and this file has neither key`)
}

// yamlMember returns the value of a mapping's member, or nil; null is as good as absent.
func yamlMember(n *yaml.Node, name string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name && n.Content[i+1].Tag != "!!null" {
			return n.Content[i+1]
		}
	}
	return nil
}

// yamlStrings returns the strings of a list, and false if it is not a list.
func yamlStrings(n *yaml.Node) ([]string, bool) {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil, false
	}
	list := make([]string, len(n.Content))
	for i, e := range n.Content {
		list[i] = e.Value
	}
	return list, true
}

// A yamlReader makes trees of nodes, and counts what it makes.
type yamlReader struct{ nodes int }

func (y *yamlReader) tree(n *yaml.Node, depth int) (any, error) {
	if y.nodes++; y.nodes > maxNodes {
		return nil, errors.New("grows too large through its aliases")
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("is nested more than %d levels deep", maxDepth)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return y.tree(n.Alias, depth+1)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := y.tree(c, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return y.mapping(n, depth)
	}
	return scalar(n), nil
}

// mapping reads members; those of a merge key ("<<") come where they are not written out.
func (y *yamlReader) mapping(n *yaml.Node, depth int) (any, error) {
	var members, merged []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		v, err := y.tree(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if n.Content[i].Tag != "!!merge" {
			members = append(members, pair{n.Content[i].Value, v})
			continue
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, from := range list {
			more, _ := from.([]pair)
			merged = append(merged, more...)
		}
	}
	seen := map[string]bool{}
	var all []pair
	for _, p := range append(members, merged...) {
		if !seen[p.name] {
			seen[p.name] = true
			all = append(all, p)
		}
	}
	if all == nil {
		all = []pair{}
	}
	return all, nil
}

// scalar is a value by its tag. A number that JSON cannot write stays its text.
func scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int":
		var i int64
		if n.Decode(&i) == nil {
			return json.Number(strconv.FormatInt(i, 10))
		}
	case "!!float":
		var f float64
		if n.Decode(&f) == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return number(f)
		}
	}
	return n.Value
}
