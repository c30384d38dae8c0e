package nuget

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// settingsName is the file that makes a folder of a package a tool.
const settingsName = "DotnetToolSettings.xml"

// The types of packages that matter.
const (
	typeTool    = "DotnetTool"
	typeRIDTool = "DotnetToolRidPackage"
)

// A Tool is what one folder of a package has to run.
type Tool struct {
	Dir     string // in the package: tools/FRAMEWORK/RID
	Name    string // of the command
	Entry   string // the program or the assembly, slash-separated in Dir
	Program bool   // Entry runs by itself; else it is an assembly, and wants a host
}

// rids are the runtime identifiers that a platform is served by, the best first. It is a line out of NuGet's
// graph: .NET itself makes no difference between distributions any more.
func rids(arch string) []string {
	return []string{"linux-" + arch, "linux", "unix-" + arch, "unix", "any"}
}

// arches are .NET's names for what Go calls otherwise.
var arches = map[string]string{"amd64": "x64", "arm64": "arm64"}

// Arch returns .NET's name for an architecture of Go, or "" for one that Functions does not run on.
func Arch(goarch string) string { return arches[goarch] }

// Tools returns what a package has to run on an architecture: the newest framework first, and for each the
// folder of the best runtime identifier. A package that only points to others, one for each platform, gives
// the id of the one for this, of the same version.
func (p *Package) Tools(arch string) (tools []Tool, pointer string, err error) {
	if err := p.checkType(); err != nil {
		return nil, "", err
	}
	best := map[string]folder{} // by framework
	var elsewhere []string
	for _, name := range p.Names("tools") {
		words := strings.Split(name, "/")
		if len(words) != 4 || words[3] != settingsName {
			continue
		}
		f := folder{dir: path.Dir(name), framework: words[1], rid: words[2]}
		f.major, f.minor = framework(words[1])
		if f.rank = slices.Index(rids(arch), strings.ToLower(words[2])); f.rank < 0 || f.major < 0 {
			elsewhere = append(elsewhere, words[2])
			continue
		}
		if known, ok := best[f.framework]; !ok || f.rank < known.rank {
			best[f.framework] = f
		}
	}
	var folders []folder
	for _, f := range best {
		folders = append(folders, f)
	}
	slices.SortFunc(folders, func(a, b folder) int {
		return cmp.Or(cmp.Compare(b.major, a.major), cmp.Compare(b.minor, a.minor), cmp.Compare(a.dir, b.dir))
	})
	for _, f := range folders {
		tool, others, err := p.readSettings(f.dir)
		if err != nil {
			return nil, "", err
		}
		if others != nil {
			id, err := p.choose(others, arch)
			return nil, id, err
		}
		tools = append(tools, tool)
	}
	switch {
	case len(tools) > 0:
		return tools, "", nil
	case len(elsewhere) > 0:
		return nil, "", noLinux(p, arch, elsewhere)
	}
	return nil, "", failure("", "%s %s says that it is a tool but does not contain %s", p.ID, p.Version, settingsName)
}

// A folder is one that has settings.
type folder struct {
	dir, framework, rid string
	major, minor        int
	rank                int
}

func (p *Package) checkType() error {
	switch {
	case p.HasType(typeTool):
		return nil
	case p.HasType(typeRIDTool):
		return nil
	case slices.ContainsFunc(p.Names("tools"), func(n string) bool { return path.Base(n) == settingsName }):
		return nil // packed before there were types of packages
	}
	is := "a library"
	if len(p.Types) > 0 {
		is = "a " + strings.Join(p.Types, ", ")
	}
	return failure("check its page for the package that is a tool: dnx can run only tools", "%s %s is not a .NET tool but %s", p.ID, p.Version, is)
}

func noLinux(p *Package, arch string, have []string) error {
	slices.Sort(have)
	return failure("ask its publisher for a package for linux-"+arch+" or any; or use a server that has one",
		"%s %s has no program for linux-%s, only for %s", p.ID, p.Version, arch, strings.Join(slices.Compact(have), ", "))
}

var netForm = regexp.MustCompile(`^(?:net|netcoreapp)([0-9]{1,3})\.([0-9]{1,3})$`)

// framework returns the version of .NET that a target framework needs; of "any" it is 0, and -1 of one that
// Linux does not have (net10.0-windows, net48).
func framework(tfm string) (major, minor int) {
	m := netForm.FindStringSubmatch(strings.ToLower(tfm))
	switch {
	case strings.EqualFold(tfm, "any"):
		return 0, 0
	case m == nil:
		return -1, 0
	}
	major, _ = strconv.Atoi(m[1])
	minor, _ = strconv.Atoi(m[2])
	return major, minor
}

// pointers are packages by runtime identifier.
type pointers map[string]string

// readSettings reads DotnetToolSettings.xml of a folder: of a tool, or of packages that are.
func (p *Package) readSettings(dir string) (Tool, pointers, error) {
	name := path.Join(dir, settingsName)
	data, err := p.ReadFile(name)
	if err != nil {
		return Tool{}, nil, err
	}
	tool, others, err := parseSettings(data)
	if err != nil {
		return tool, nil, because(err, "", "%s %s: %s: %v", p.ID, p.Version, name, err)
	}
	if tool.Dir = dir; others == nil && !p.Has(path.Join(dir, tool.Entry)) {
		return tool, nil, failure("report it to the publisher", "%s %s starts %s, which it does not contain", p.ID, p.Version, path.Join(dir, tool.Entry))
	}
	return tool, others, nil
}

func parseSettings(data []byte) (tool Tool, others pointers, err error) {
	var s struct {
		Version  string `xml:"Version,attr"`
		Commands []struct {
			Name       string `xml:"Name,attr"`
			EntryPoint string `xml:"EntryPoint,attr"`
			Runner     string `xml:"Runner,attr"`
		} `xml:"Commands>Command"`
		Packages []struct {
			RID string `xml:"RuntimeIdentifier,attr"`
			ID  string `xml:"Id,attr"`
		} `xml:"RuntimeIdentifierPackages>RuntimeIdentifierPackage"`
	}
	if err := xml.Unmarshal(trimBOM(data), &s); err != nil {
		return tool, nil, err
	}
	switch s.Version {
	case "", "1", "2":
	default:
		return tool, nil, fmt.Errorf("unknown version %q: want 1 or 2", s.Version)
	}
	if len(s.Packages) > 0 {
		others = pointers{}
		for _, other := range s.Packages {
			if !ValidID(other.ID) {
				return tool, nil, fmt.Errorf("invalid package %q for %s", other.ID, other.RID)
			}
			others[strings.ToLower(other.RID)] = other.ID
		}
		return tool, others, nil
	}
	if len(s.Commands) != 1 {
		return tool, nil, fmt.Errorf("has %d commands, want one", len(s.Commands))
	}
	c := s.Commands[0]
	tool.Name = c.Name
	if tool.Entry = path.Clean(strings.ReplaceAll(c.EntryPoint, `\`, "/")); !fs.ValidPath(tool.Entry) || tool.Entry == "." {
		return tool, nil, fmt.Errorf("the entry point %q is not a path in its folder", c.EntryPoint)
	}
	switch {
	case strings.EqualFold(c.Runner, "dotnet"):
		if !strings.HasSuffix(strings.ToLower(tool.Entry), ".dll") {
			return tool, nil, fmt.Errorf("the entry point %q is not an assembly", c.EntryPoint)
		}
	case strings.EqualFold(c.Runner, "executable"):
		tool.Program = true
	default:
		return tool, nil, fmt.Errorf("unknown runner %q: want dotnet or executable", c.Runner)
	}
	return tool, nil, nil
}

// choose returns the package for an architecture.
func (p *Package) choose(others pointers, arch string) (string, error) {
	for _, rid := range rids(arch) {
		if id, ok := others[rid]; ok {
			return id, nil
		}
	}
	var have []string
	for rid := range others {
		have = append(have, rid)
	}
	return "", noLinux(p, arch, have)
}

// foreign are the beginnings of runtime identifiers whose files no Linux of Functions loads.
var foreign = []string{"win", "osx", "maccatalyst", "ios", "tvos", "android", "browser", "wasi", "freebsd", "illumos", "solaris", "haiku", "linux-musl", "linux-bionic", "alpine", "tizen"}

// Files returns the files of a tool that are wanted on an architecture, relative to its folder: a portable
// one brings natives for all systems in runtimes/RID.
func (p *Package) Files(t Tool, arch string) []string {
	var list []string
	for _, name := range p.Names(t.Dir) {
		rel := strings.TrimPrefix(name, t.Dir+"/")
		if rel == settingsName || foreignFile(rel, arch) {
			continue
		}
		list = append(list, rel)
	}
	return list
}

func foreignFile(rel, arch string) bool {
	words := strings.Split(rel, "/")
	if len(words) < 3 || words[0] != "runtimes" {
		return false
	}
	rid := strings.ToLower(words[1])
	if slices.ContainsFunc(foreign, func(f string) bool {
		return rid == f || strings.HasPrefix(rid, f+"-") || strings.HasPrefix(rid, f+".") || f == "win" && strings.HasPrefix(rid, "win")
	}) {
		return true
	}
	cut := strings.LastIndexByte(rid, '-')
	other := rid[cut+1:]
	return cut > 0 && other != arch && slices.Contains([]string{"x64", "x86", "arm", "arm64", "armel", "armv6", "s390x", "ppc64le", "riscv64", "loongarch64", "mips64"}, other)
}
