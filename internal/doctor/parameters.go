package doctor

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// parametersFile is where azd reads what infra/ is given. It is the user's: init writes it once.
const parametersFile = "infra/main.parameters.json"

// Parameters finds each ${NAME} of the configuration that came after infra/ was written, and that nothing there
// gives to the app: its servers would not start.
func (p *Project) Parameters() []Finding {
	infra := p.infra()
	if infra[parametersFile] == "" {
		return nil
	}
	var all []Finding
	made := p.made
	made.Config = p.File
	settings := made.AppSettings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if infra.names(name) {
			continue
		}
		group := "settings"
		if settings[name] {
			group = "secrets"
		}
		all = append(all, warning(parametersFile, fmt.Sprintf("add %s: %s to the value of %q there, then: azd env set %s VALUE",
			strconv.Quote(name), strconv.Quote("${"+name+"}"), group, name),
			"${%s} of the configuration is not in any file of infra/: an app that azd makes does not get it", name))
	}
	return all
}

// names reports whether a file has the name as a word.
func (in infra) names(name string) bool {
	word := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)
	for _, text := range in {
		if word.MatchString(text) {
			return true
		}
	}
	return false
}
