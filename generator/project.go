package generator

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// What the host is told, and what main.go and the README must agree with.
const (
	// executable is compared with the zip entry's name letter by letter by Core Tools, which marks
	// no other file executable: "./handler" would be published without its x bit.
	executable = "handler"

	// functionTimeout is written down because its expiry restarts the handler and so ends every
	// session: the runtime ends its streams after 25 minutes (Options.StreamLimit), before it. Thirty
	// minutes are the default of Flex Consumption, Premium and Dedicated, so nothing changes for them;
	// "-1" would let a call that hangs hold a slot of the instance for good.
	functionTimeout = "00:30:00"
)

var (
	serverName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)
	appName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	modulePath = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)
)

// check fills in what may be left out and refuses what cannot become a project.
func (p Project) check() (Project, error) {
	if p.Module == "" {
		p.Module = moduleFor(p.Name)
	}
	if p.Name == "" {
		p.Name = path.Base(p.Module)
	}
	if p.Hosting == "" {
		p.Hosting = HostingCustom
	}
	switch {
	case p.Module == "":
		return p, errors.New("the project needs a name or a module path")
	case !appName.MatchString(p.Name):
		return p, fmt.Errorf("invalid project name %q: want at most 63 letters, digits, dots, hyphens and underscores, beginning with a letter or digit", p.Name)
	case !modulePath.MatchString(p.Module):
		return p, fmt.Errorf("invalid module path %q: Go does not accept it", p.Module)
	case reservedModule(p.Module):
		return p, fmt.Errorf("module path %q is reserved by Go: want another first element", p.Module)
	case p.Module == runtimeModule:
		return p, fmt.Errorf("module path %q is that of the runtime", p.Module)
	case p.Hosting != HostingCustom && p.Hosting != HostingFlex:
		return p, fmt.Errorf("invalid hosting %q: want %q or %q", p.Hosting, HostingCustom, HostingFlex)
	case p.Hosting == HostingFlex && p.Extras.Docker:
		return p, fmt.Errorf("hosting %q cannot have an image: Flex Consumption does not run containers, and other plans do not support its profile", p.Hosting)
	case p.Extras.Redis && !p.Extras.AZD:
		return p, errors.New("Redis needs infra/, which was not requested")
	case p.AuthLevel != "" && !slices.Contains(levels, p.AuthLevel):
		return p, fmt.Errorf("invalid auth level %q: want %q, %q or %q", p.AuthLevel, LevelAnonymous, LevelFunction, LevelAdmin)
	case p.Config == nil:
		return p, errors.New("the project does not have a configuration")
	case p.Runtime == nil:
		return p, errors.New("the project does not have runtime sources")
	}
	return p, p.checkServers()
}

// checkServers holds names to what folders and routes can carry. The configuration has checked them
// by its own rules; here a name becomes a path, so it is not taken on trust.
func (p Project) checkServers() error {
	on := p.Config.Enabled()
	if len(on) == 0 {
		return errors.New("no servers configured: add or enable one")
	}
	byFold := map[string]string{}
	for _, s := range on {
		if !serverName.MatchString(s.Name) {
			return fmt.Errorf("invalid server name %q: want at most 63 letters, digits, hyphens and underscores, beginning with a letter or digit", s.Name)
		}
		fold := strings.ToLower(s.Name)
		if fold == "sse" || fold == "message" {
			return fmt.Errorf("server %q: /api/mcp/%s is reserved for the default server", s.Name, fold)
		}
		if other, taken := byFold[fold]; taken {
			return fmt.Errorf("servers %q and %q: names differ only in case, which routes and function names ignore", other, s.Name)
		}
		byFold[fold] = s.Name
	}
	if d := p.Config.Runtime.DefaultServer; d != "" {
		if s, _ := p.Config.Default(); s.Name != d {
			return fmt.Errorf("default_server %q is not an enabled server", d)
		}
	}
	return nil
}

// serverOf returns the server whose function a folder is.
func serverOf(folder string) (string, bool) {
	name, ok := strings.CutPrefix(folder, serverPrefix)
	return name, ok && serverName.MatchString(name)
}
