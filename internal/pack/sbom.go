package pack

import (
	"bytes"
	"cmp"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// SBOMName is the file in the project that lists what an app is made of (CycloneDX 1.6).
const SBOMName = "sbom.cdx.json"

// A Module is one that the handler is built of.
type Module struct {
	Path    string
	Version string // empty for one that the project carries
}

// bom returns the bill of materials of the project in dir: what is locked for its servers and is
// installed, its programs, and the modules of its handler. It has no serial number and no time, so
// that the same project gives the same bytes.
func bom(dir string, lock *Lock, file *packmanifest.File, modules []Module) ([]byte, error) {
	list := map[string]cdx.Component{} // by package URL
	for name := range file.Servers {
		all, err := components(dir, name)
		if err != nil {
			return nil, err
		}
		tree := filepath.Join(dir, packmanifest.Folder, name)
		if all, err = addLibraries(all, tree); err != nil {
			return nil, err
		}
		if err := addLicenses(all, filepath.Join(tree, sitePackages)); err != nil {
			return nil, err
		}
		for _, c := range all {
			if c.path != "" {
				if _, err := os.Stat(filepath.Join(tree, filepath.FromSlash(c.path))); err != nil {
					continue // for another platform
				}
			}
			list[c.purl()] = merged(list[c.purl()], c, name)
		}
	}
	if file.Dotnet != nil {
		all, err := components(dir, dotnetFolder)
		if err != nil {
			return nil, err
		}
		for name, server := range file.Servers {
			for _, c := range all {
				if server.Start.Dotnet != nil && server.Start.Dotnet.Shared {
					list[c.purl()] = merged(list[c.purl()], c, name)
				}
			}
		}
	}
	for name, p := range file.Programs {
		ref := "program:" + name
		list[ref] = cdx.Component{
			BOMRef: ref, Type: cdx.ComponentTypeApplication, Name: filepath.Base(p.Path),
			Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: p.SHA256}},
		}
	}
	for _, m := range modules {
		ref := "pkg:golang/" + strings.ToLower(m.Path) // as package URLs of this type are
		if m.Version != "" {
			ref += "@" + url.PathEscape(m.Version)
		}
		list[ref] = cdx.Component{BOMRef: ref, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: ref}
	}
	b := cdx.NewBOM()
	sorted := make([]cdx.Component, 0, len(list))
	for _, c := range list {
		sorted = append(sorted, c)
	}
	slices.SortFunc(sorted, func(a, b cdx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) })
	b.Components = &sorted
	b.Metadata = &cdx.Metadata{
		Component:  &cdx.Component{BOMRef: "app", Type: cdx.ComponentTypeApplication, Name: "app"},
		Properties: &[]cdx.Property{{Name: "mcpfunc:platform", Value: lock.Platform}},
	}
	var out bytes.Buffer
	enc := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	err := enc.EncodeVersion(b, cdx.SpecVersion1_6)
	return out.Bytes(), err
}

// purl is the package URL (github.com/package-url/purl-spec): of npm the scope is a namespace.
func (c component) purl() string {
	name := c.name
	if scope, rest, ok := strings.Cut(name, "/"); ok {
		name = url.PathEscape(scope) + "/" + rest
		name = strings.Replace(name, "@", "%40", 1)
	}
	return "pkg:" + c.ecosystem + "/" + name + "@" + url.PathEscape(c.version)
}

// algorithms are the names that CycloneDX has for those of pip and npm.
var algorithms = map[string]cdx.HashAlgorithm{
	"sha256": cdx.HashAlgoSHA256, "sha384": cdx.HashAlgoSHA384, "sha512": cdx.HashAlgoSHA512, "sha1": cdx.HashAlgoSHA1, "md5": cdx.HashAlgoMD5,
}

// merged adds a package of a server to what is known of it. A Python package has a hash for each of
// the files that the lock accepts for it.
func merged(known cdx.Component, c component, server string) cdx.Component {
	if known.Properties == nil {
		known = cdx.Component{BOMRef: c.purl(), Type: cdx.ComponentTypeLibrary, Name: c.name, Version: c.version, PackageURL: c.purl(), Properties: &[]cdx.Property{}}
		if group, name, ok := strings.Cut(c.name, "/"); ok {
			known.Group, known.Name = group, name
		}
		var hashes []cdx.Hash
		for _, h := range c.hashes {
			name, value, _ := strings.Cut(h, ":")
			if algorithm, ok := algorithms[name]; ok {
				hashes = append(hashes, cdx.Hash{Algorithm: algorithm, Value: value})
			}
		}
		if hashes != nil {
			known.Hashes = &hashes
		}
		known.Licenses = licenses(c.license)
	}
	used := cdx.Property{Name: "mcpfunc:server", Value: server}
	if !slices.Contains(*known.Properties, used) {
		*known.Properties = append(*known.Properties, used)
		slices.SortFunc(*known.Properties, func(a, b cdx.Property) int { return cmp.Compare(a.Value, b.Value) })
	}
	return known
}

// compound is an SPDX expression of several ids as far as its form tells. What packages write is
// often a name ("MIT License"), which is not an identifier.
var compound = regexp.MustCompile(`^\(*[A-Za-z0-9.+-]+\)*(?: (?:AND|OR|WITH) \(*[A-Za-z0-9.+-]+\)*)+$`)

// ids are the SPDX ids that nearly all packages have. CycloneDX wants an id among the list of its
// version, and whatever is not surely one as a name.
var ids = []string{
	"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0",
	"Python-2.0", "Unlicense", "Zlib",
}

func licenses(text string) *cdx.Licenses {
	switch {
	case text == "":
		return nil
	case slices.Contains(ids, text):
		return &cdx.Licenses{{License: &cdx.License{ID: text}}}
	case compound.MatchString(text):
		return &cdx.Licenses{{Expression: text}}
	}
	return &cdx.Licenses{{License: &cdx.License{Name: text}}}
}
