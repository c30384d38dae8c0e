package importer

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A bundle (.mcpb, before .dxt) is a zip of a program and its manifest.json: the manifest's specification
// in modelcontextprotocol/mcpb, version 0.4.

// Limits of a bundle, which is not trusted and is written into a project.
const (
	maxBundleFiles = 50_000
	maxBundleBytes = 1 << 30
)

const manifestName = "manifest.json"

// openBundle reads the manifest of a zip.
func openBundle(file string, data []byte) (*source, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, &config.Error{Path: file, Err: errors.New("is a damaged zip file, not an MCP bundle")}
	}
	if err := checkBundle(z); err != nil {
		return nil, &config.Error{Path: file, Err: err}
	}
	f, err := z.Open(manifestName)
	if err != nil {
		return nil, refused(file, "", "is a zip file without a manifest.json, not an MCP bundle")
	}
	defer f.Close()
	manifest, err := io.ReadAll(io.LimitReader(f, config.MaxSize+1))
	if err != nil {
		return nil, &config.Error{Path: file, Err: fmt.Errorf("its manifest.json: %w", err)}
	}
	return openManifest(file, manifest, z)
}

// checkBundle checks that a zip can be written into a project: plain files inside it, within the limits.
func checkBundle(z *zip.Reader) error {
	if len(z.File) > maxBundleFiles {
		return fmt.Errorf("contains more than %d files", maxBundleFiles)
	}
	var total uint64
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, "/")
		if !fs.ValidPath(name) || strings.ContainsAny(name, `\:`) {
			return errors.New("contains a file whose path leads out of the bundle")
		}
		if mode := f.Mode(); !mode.IsRegular() && !mode.IsDir() {
			return errors.New("contains a link or a device")
		}
		if total += f.UncompressedSize64; f.UncompressedSize64 > maxBundleBytes || total > maxBundleBytes {
			return fmt.Errorf("contains more than %d MiB", maxBundleBytes>>20)
		}
	}
	return nil
}

// isManifest reports whether an object is the manifest of a bundle.
func isManifest(root *hujson.Object) bool {
	version := member(root, "manifest_version") != nil || member(root, "dxt_version") != nil
	return version && member(root, "server") != nil
}

// openManifest makes an entry of a manifest. near holds the files of the bundle; nil where they are
// not at hand.
func openManifest(file string, data []byte, near fs.FS) (*source, error) {
	doc, err := config.Read(file, data)
	if err != nil {
		return nil, err
	}
	root := doc.Root.Value.(*hujson.Object)
	if !isManifest(root) {
		return nil, refused(file, "", "has a manifest.json that is not that of an MCP bundle")
	}
	get := func(path ...string) string {
		if v := member(root, path...); v != nil {
			return text(*v)
		}
		return ""
	}
	name := get("name")
	folder := path.Join("bundles", slug(name))
	if slug(name) == "" {
		folder = "bundles/server"
	}
	src := &source{path: file, format: "an MCP bundle", dialect: dialect{folder: folder}, inputs: userConfig(root)}
	f := found{name: name, line: doc.Line(doc.Root.StartOffset), folder: folder}
	note := Note{File: file, Line: f.line, Server: name}
	entryPoint := path.Clean(strings.TrimPrefix(get("server", "entry_point"), "${__dirname}/"))
	if entryPoint != "." && !fs.ValidPath(entryPoint) {
		return nil, refused(file, "", "has an entry point outside the bundle")
	}
	platforms, some := asStrings(member(root, "compatibility", "platforms"))
	switch {
	case some && !slices.Contains(platforms, "linux"):
		note.Text = fmt.Sprintf("is for %s, and Azure Functions runs on Linux", strings.Join(platforms, " and "))
		f.err = &note
	default:
		f.value, err = manifestEntry(root, get("server", "type"), entryPoint)
		if err != nil {
			return nil, &config.Error{Path: file, Line: f.line, Err: err}
		}
	}
	if near != nil && entryPoint != "." {
		if info, err := fs.Stat(near, entryPoint); err == nil && !info.IsDir() {
			f.files = near
		} else if _, isZip := near.(*zip.Reader); isZip {
			return nil, refused(file, "", "does not contain its entry point %s", entryPoint)
		}
	}
	src.entries = []found{f}
	return src, nil
}

// manifestEntry is the command line of a bundle on Linux.
func manifestEntry(root *hujson.Object, kind, entryPoint string) (hujson.Value, error) {
	var base described
	if v := member(root, "server", "mcp_config"); v != nil {
		if o, ok := v.Value.(*hujson.Object); ok {
			base = described{o}
		}
	}
	var e []pair
	at := func(name string) any {
		if base.Object == nil {
			return nil
		}
		for _, path := range [][]string{{"platform_overrides", "linux", name}, {name}} {
			if v := member(base.Object, path...); v != nil {
				return treeOf(*v)
			}
		}
		return nil
	}
	command, args := at("command"), at("args")
	if command == nil {
		script := "${__dirname}/" + entryPoint
		switch kind {
		case "node":
			command, args = "node", []any{script}
		case "python":
			command, args = "python3", []any{script}
		case "uv":
			command, args = "uv", []any{"run", script}
		case "binary":
			command = script
		default:
			return hujson.Value{}, fmt.Errorf("has a server of type %q without a command", kind)
		}
	}
	e = append(e, pair{"command", command})
	if args != nil {
		e = append(e, pair{"args", args})
	}
	if env, ok := at("env").([]pair); ok && len(env) > 0 {
		e = append(e, pair{"env", env})
	}
	if d := member(root, "description"); d != nil {
		e = append(e, pair{"description", text(*d)})
	}
	return written(e)
}

// treeOf is a value of JSON as a tree.
func treeOf(v hujson.Value) any {
	switch v := v.Value.(type) {
	case hujson.Literal:
		switch v.Kind() {
		case '"':
			return v.String()
		case 't', 'f':
			return v.Bool()
		case '0':
			return number(v.Float())
		}
	case *hujson.Array:
		list := []any{}
		for _, e := range v.Elements {
			list = append(list, treeOf(e))
		}
		return list
	case *hujson.Object:
		members := []pair{}
		for _, m := range v.Members {
			members = append(members, pair{text(m.Name), treeOf(m.Value)})
		}
		return members
	}
	return nil
}

// userConfig are the questions of a bundle.
func userConfig(root *hujson.Object) map[string]input {
	v := member(root, "user_config")
	if v == nil {
		return nil
	}
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		return nil
	}
	inputs := map[string]input{}
	for _, m := range o.Members {
		about, ok := m.Value.Value.(*hujson.Object)
		if !ok {
			continue
		}
		in := input{env: variableFor(text(m.Name)), secret: isTrue(member(about, "sensitive")), many: isTrue(member(about, "multiple"))}
		if d := member(about, "default"); d != nil && !in.secret {
			switch l, ok := d.Value.(hujson.Literal); {
			case ok && l.Kind() == '"':
				in.fallback = l.String()
			case ok:
				in.fallback = string(l)
			}
		}
		inputs[text(m.Name)] = in
	}
	return inputs
}
