package doctor

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/pack"
)

// advice is Advise for a project. What is packed is locked with its hashes, and so is pinned; for
// what is locked but not packed as it stands, the lock says the version. Nor does it download anything.
func (p *Project) advice() []Advice {
	servers := map[string]config.Server{}
	for _, s := range p.File.Enabled() {
		servers[s.Name] = s
	}
	var all []Advice
	for _, a := range Advise(p.File) {
		if _, packed := p.packed(servers[a.Server]); a.Rule == RuleSandbox && packed {
			continue
		}
		if a.Rule == RuleSessions && strings.HasSuffix(a.Key, "on_lost") && p.hasRedis() {
			continue // every instance reaches every session
		}
		if a.Rule == RulePackages {
			s := servers[a.Server]
			if _, ok := p.packed(s); ok {
				continue
			}
			for _, one := range packages(s.Command, s.Args) {
				if version := p.locked(s.Name, one.form); version != "" && strings.HasSuffix(a.Hint, one.form) {
					a.Hint = strings.Replace(a.Hint, "VERSION", version, 1)
				}
			}
		}
		all = append(all, a)
	}
	return all
}

var pinnedForm = regexp.MustCompile(`^(.+?)(?:\[[^\]]*\])?(==|@)VERSION$`)

// locked returns the version that the lock of a server has of the package in form, or "".
func (p *Project) locked(server, form string) string {
	m := pinnedForm.FindStringSubmatch(form)
	if m == nil {
		return ""
	}
	name := m[1]
	if m[2] == "==" {
		data, err := readFile(p.path(pack.LockFolder + "/" + server + "/requirements.txt"))
		line := regexp.MustCompile(`(?m)^` + distribution(name) + `==([^\s;\\]+)`)
		if found := line.FindSubmatch(data); err == nil && found != nil {
			return string(found[1])
		}
		return ""
	}
	if v := p.lockedDotnet(server, name); v != "" {
		return v
	}
	data, err := readFile(p.path(pack.LockFolder + "/" + server + "/package-lock.json"))
	var lock struct {
		Packages map[string]struct{ Version string }
	}
	if err != nil || json.Unmarshal(data, &lock) != nil {
		return ""
	}
	return lock.Packages["node_modules/"+name].Version
}

// lockedDotnet is locked for a NuGet package, whose case does not count.
func (p *Project) lockedDotnet(server, id string) string {
	data, err := readFile(p.path(pack.LockFolder + "/" + server + "/nuget.json"))
	var lock struct {
		Packages []struct{ ID, Version string }
	}
	if err != nil || json.Unmarshal(data, &lock) != nil {
		return ""
	}
	for _, one := range lock.Packages {
		if strings.EqualFold(one.ID, id) {
			return one.Version
		}
	}
	return ""
}

// distribution is a pattern for the name of a Python package, whose case and separators do not count
// (PEP 503).
func distribution(name string) string {
	parts := regexp.MustCompile(`[-_.]+`).Split(name, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return `(?i:` + strings.Join(parts, `[-_.]+`) + `)`
}
