package nuget

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// The frameworks that there are packages of for Linux, and those packages.
const (
	CoreFramework = "Microsoft.NETCore.App"
	WebFramework  = "Microsoft.AspNetCore.App"
)

// RuntimePackage is the package that has a framework for an architecture.
func RuntimePackage(framework, arch string) string { return framework + ".Runtime.linux-" + arch }

// HostPackage is the package that has the program which starts an assembly.
func HostPackage(arch string) string { return CoreFramework + ".Host.linux-" + arch }

// Needs is what a tool wants of the .NET that it runs on. The zero value wants none.
type Needs struct {
	Version Version // at least, of CoreFramework and WebFramework
	Web     bool    // WebFramework is wanted as well
	Roll    Roll    // which newer version will do
	OwnICU  bool    // it brings the data of cultures itself
}

// Some reports whether a tool needs a .NET at all.
func (n Needs) Some() bool { return n.Version.Major() > 0 }

// A Roll says which versions will do for one that is asked for (learn.microsoft.com/dotnet/core/versions/
// selection, "rollForward").
type Roll int

// The rolls. Patches are taken in any case but RollNone.
const (
	RollMinor Roll = iota // the same major version
	RollPatch             // the same minor version
	RollNone              // this one alone
	RollMajor             // any newer version
)

var rolls = map[string]Roll{
	"": RollMinor, "minor": RollMinor, "latestminor": RollMinor, "major": RollMajor, "latestmajor": RollMajor, "latestpatch": RollPatch, "disable": RollNone,
}

// Fits reports whether v will do.
func (n Needs) Fits(v Version) bool {
	w := n.Version
	switch {
	case v.Compare(w) < 0:
		return false
	case v.Prerelease() && !w.Prerelease():
		return false
	case n.Roll == RollMajor:
		return true
	case v.Major() != w.Major():
		return false
	case n.Roll == RollMinor:
		return true
	case n.Roll == RollPatch:
		return v.Minor() == w.Minor()
	}
	return v.Compare(w) == 0
}

// runtimeConfig is NAME.runtimeconfig.json (learn.microsoft.com/dotnet/core/runtime-config).
type runtimeConfig struct {
	RuntimeOptions struct {
		RollForward string
		Framework   *reference
		Frameworks  []reference
		Properties  map[string]any `json:"configProperties"`
	}
}

type reference struct{ Name, Version string }

// Needs says what a tool needs. A program may bring its runtime with it, or be no .NET at all any more: then
// nothing.
func (p *Package) Needs(t Tool) (Needs, error) {
	icu := slices.ContainsFunc(p.Names(t.Dir), func(f string) bool { return strings.HasPrefix(path.Base(f), "libicuuc.so") })
	n := Needs{OwnICU: icu}
	name := path.Join(t.Dir, strings.TrimSuffix(t.Entry, path.Ext(t.Entry))+".runtimeconfig.json")
	if t.Program && !p.Has(name) {
		name = path.Join(t.Dir, t.Entry+".runtimeconfig.json") // NAME.x is no assembly: nothing is to be cut off
	}
	data, err := p.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && t.Program {
		return n, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return n, failure("report it to the publisher", "%s %s does not say which runtime it needs: it does not contain %s", p.ID, p.Version, path.Base(name))
	}
	if err != nil {
		return n, err
	}
	n, err = parseNeeds(data)
	if err != nil {
		return n, because(err, "", "%s %s: %s: %v", p.ID, p.Version, path.Base(name), err)
	}
	n.OwnICU = n.OwnICU || icu
	if !n.Some() && !t.Program {
		return n, failure("report it to the publisher", "%s %s does not say which runtime it needs", p.ID, p.Version)
	}
	return n, nil
}

func parseNeeds(data []byte) (Needs, error) {
	var n Needs
	data, err := hujson.Standardize(bytes.Clone(trimBOM(data)))
	if err != nil {
		return n, err
	}
	var config runtimeConfig
	if err := json.Unmarshal(data, &config); err != nil {
		return n, err
	}
	options := config.RuntimeOptions
	all := options.Frameworks
	if options.Framework != nil {
		all = append(all, *options.Framework)
	}
	for _, f := range all {
		v, err := ParseVersion(f.Version)
		if err != nil {
			return n, err
		}
		switch f.Name {
		case CoreFramework:
		case WebFramework:
			n.Web = true
		default:
			return n, failure("use a server that is for Linux", "needs the framework %s, which Linux does not have", f.Name)
		}
		if v.Compare(n.Version) > 0 {
			n.Version = v
		}
	}
	roll, ok := rolls[strings.ToLower(options.RollForward)]
	if !ok {
		return n, fmt.Errorf("unknown rollForward %q", options.RollForward)
	}
	n.Roll = roll
	_, n.OwnICU = options.Properties["System.Globalization.AppLocalIcu"]
	return n, nil
}

// placeholder marks the place in the host for the path of the assembly: the SHA-256 of "foobar", in a field
// of placeholderField bytes with zeros behind.
const (
	placeholder      = "c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2"
	placeholderField = 1024
)

// Host makes the program that starts an assembly beside it out of the host that HostPackage has.
func Host(apphost []byte, assembly string) ([]byte, error) {
	at := bytes.Index(apphost, []byte(placeholder))
	switch {
	case at < 0 || bytes.Contains(apphost[at+1:], []byte(placeholder)) || at+placeholderField > len(apphost):
		return nil, errors.New("the host program has no field for the name of an assembly")
	case len(assembly) >= placeholderField:
		return nil, fmt.Errorf("the name of the assembly has more than %d bytes", placeholderField-1)
	}
	made := bytes.Clone(apphost)
	clear(made[at : at+len(placeholder)]) // what follows in the field is zero already
	copy(made[at:], assembly)
	return made, nil
}

// hostResolver finds a framework for a host.
const hostResolver = "libhostfxr.so"

// RuntimeFile returns the path of a file of a RuntimePackage in a DOTNET_ROOT, slash-separated; "" for one that
// does not belong there.
func RuntimeFile(framework string, v Version, arch, name string) string {
	rest, ok := strings.CutPrefix(name, "runtimes/linux-"+arch+"/")
	if !ok {
		return ""
	}
	kind, rest, _ := strings.Cut(rest, "/")
	if kind == "lib" {
		_, rest, _ = strings.Cut(rest, "/") // the framework that it is of
	} else if kind != "native" {
		return ""
	}
	switch {
	case rest == "":
		return ""
	case rest == hostResolver:
		return path.Join("host", "fxr", v.String(), rest)
	}
	return path.Join("shared", framework, v.String(), rest)
}

// HostFile is where a HostPackage has its program.
func HostFile(arch string) string { return "runtimes/linux-" + arch + "/native/apphost" }

// RuntimeConfig is what a WebFramework's folder says of the CoreFramework that it needs, for a package that
// does not have it.
func RuntimeConfig(v Version) []byte {
	return fmt.Appendf(nil, "{\n  \"runtimeOptions\": {\n    \"framework\": {\n      \"name\": %q,\n      \"version\": %q\n    }\n  }\n}\n", CoreFramework, v)
}

// A Library is a package that a tool was built with.
type Library struct {
	ID      string
	Version string
	Digest  Digest // of the package, without its signature
}

// Libraries reads NAME.deps.json: what a tool was built with, in order.
func Libraries(data []byte) ([]Library, error) {
	var deps struct {
		Libraries map[string]struct{ Type, SHA512 string }
	}
	if err := json.Unmarshal(trimBOM(data), &deps); err != nil {
		return nil, err
	}
	var all []Library
	for name, l := range deps.Libraries {
		id, version, ok := strings.Cut(name, "/")
		digest, _ := strings.CutPrefix(l.SHA512, "sha512-")
		if !ok || l.Type != "package" || !ValidID(id) {
			continue
		}
		all = append(all, Library{id, version, Digest(digest)})
	}
	slices.SortFunc(all, func(a, b Library) int { return strings.Compare(a.ID+"/"+a.Version, b.ID+"/"+b.Version) })
	return all, nil
}
