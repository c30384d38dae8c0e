package pack

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// An entry is what a console script calls.
type entry struct{ module, attr string }

// reference is the value of an entry point: module:attribute, with extras after it that do not
// matter here (packaging.python.org, "Entry points specification"). It ends up in a program, so it
// is nothing but names.
var reference = regexp.MustCompile(`^([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*:\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*(?:\[[^\]]*\])?$`)

// findEntry returns what the console script of that name calls. One of a package that was asked for
// goes before one of what came with it. programs are what else can be started, for the error.
func findEntry(site, script string, requires, programs []string) (entry, error) {
	infos, err := filepath.Glob(filepath.Join(site, "*.dist-info", "entry_points.txt"))
	if err != nil {
		return entry{}, err
	}
	var asked []string
	for _, requirement := range requires {
		asked = append(asked, normalName(requirementName(requirement)))
	}
	found, offered := entry{}, slices.Clone(programs)
	for _, path := range infos {
		data, err := os.ReadFile(path)
		if err != nil {
			return entry{}, err
		}
		dist, _, _ := strings.Cut(filepath.Base(filepath.Dir(path)), "-")
		isAsked := slices.Contains(asked, normalName(dist))
		for name, value := range consoleScripts(data) {
			if isAsked {
				offered = append(offered, name)
			}
			if name != script || found.module != "" && !isAsked {
				continue
			}
			m := reference.FindStringSubmatch(value)
			if m == nil {
				return entry{}, fmt.Errorf("the script %q of %s is %q: want module:function", name, dist, value)
			}
			found = entry{m[1], m[2]}
		}
	}
	if found.module != "" {
		return found, nil
	}
	if len(offered) == 0 {
		return entry{}, refuse("", "%s has no scripts, so there is no %q", strings.Join(requires, ", "), script)
	}
	slices.Sort(offered)
	return entry{}, refuse(fmt.Sprintf("uvx --from %s %s", requires[len(requires)-1], offered[0]),
		"%s has no script %q; it has %s", strings.Join(requires, ", "), script, strings.Join(offered, ", "))
}

// consoleScripts returns the console scripts of an entry_points.txt.
func consoleScripts(data []byte) map[string]string {
	scripts := map[string]string{}
	inside := false
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		switch {
		case strings.HasPrefix(line, "["):
			inside = line == "[console_scripts]"
		case inside && line != "" && line[0] != '#' && line[0] != ';':
			if name, value, ok := strings.Cut(line, "="); ok {
				scripts[strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
		}
	}
	return scripts
}

var separators = regexp.MustCompile(`[-_.]+`)

// normalName is the name of a Python package as all of its spellings have it (PEP 503).
func normalName(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}
