package nuget

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// configLimit is how large a NuGet.Config may be, in bytes.
const configLimit = 1 << 20

// configNames are how the file is spelled in a folder (learn.microsoft.com/nuget/consume-packages/
// configuring-nuget-behavior).
var configNames = []string{"nuget.config", "NuGet.config", "NuGet.Config"}

// A Machine is where NuGet.Config files are looked for, and what they refer to.
type Machine struct {
	Dir     string                           // of the project: it and the folders above it may have one
	Home    string                           // of the user; empty for none
	AppData string                           // on Windows, in place of Home
	Lookup  func(name string) (string, bool) // a variable's value
}

// Sources returns what a command line asks for, else what is configured on this machine, else the public
// index. ${NAME} in a source of the command line is a variable.
func (m Machine) Sources(c *Command) (Sources, error) {
	s, err := m.configured(c.ConfigFile)
	if err != nil {
		return s, err
	}
	s.IgnoreFailed = c.IgnoreFailed
	given := func(texts []string) (list []Source, err error) {
		for _, text := range texts {
			expanded, err := m.expand(text)
			if err != nil {
				return nil, err
			}
			source, err := s.named(expanded, m.Dir)
			if err != nil {
				return nil, err
			}
			list = append(list, source)
		}
		return list, nil
	}
	if len(c.Sources) > 0 {
		list, err := given(c.Sources)
		if err != nil {
			return s, err
		}
		s.List, s.mapping = nil, nil
		s.add(list...)
	}
	more, err := given(c.AddSources)
	if err != nil {
		return s, err
	}
	if len(more) > 0 {
		s.mapping = nil
	}
	s.add(more...)
	if len(s.List) == 0 {
		return s, failure("name one with --source", "NuGet.Config does not leave any package source")
	}
	return s, m.credentials(&s)
}

// named returns the source of the configuration with that name or address, which may have credentials, else
// what text is by itself.
func (s Sources) named(text, dir string) (Source, error) {
	source, err := NewSource(text, text, dir)
	if err != nil {
		return source, err
	}
	for _, known := range s.List {
		if strings.EqualFold(known.Name, text) || source.password == "" && known.same(source) {
			return known, nil
		}
	}
	return source, nil
}

// Default returns what is configured on this machine for everything.
func (m Machine) Default() (Sources, error) { return m.Sources(&Command{}) }

// variable is ${NAME} or ${NAME:-DEFAULT}, as the configuration has it.
var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}`)

func (m Machine) expand(text string) (string, error) {
	var missing string
	inURL := strings.Contains(variable.ReplaceAllString(text, ""), "://")
	text = variable.ReplaceAllStringFunc(text, func(word string) string {
		parts := variable.FindStringSubmatch(word)
		value, ok := m.Lookup(parts[1])
		if otherwise, given := strings.CutPrefix(parts[2], ":-"); !ok && given {
			value, ok = otherwise, true
		}
		if !ok && missing == "" {
			missing = parts[1]
		}
		if inURL {
			return url.PathEscape(value) // a password may hold what ends one in a URL
		}
		return value
	})
	if missing != "" {
		return "", failure("set it in the environment or in local.settings.json, where packing reads it", "the variable %s of a package source does not have a value", missing)
	}
	return text, nil
}

// configured reads the sources of one file, or of all that there are: the nearer to the project, the more
// it counts.
func (m Machine) configured(file string) (Sources, error) {
	var files []string
	if file != "" {
		if !filepath.IsAbs(file) {
			file = filepath.Join(m.Dir, file)
		}
		files = []string{file}
	} else {
		files = m.files()
	}
	all := &settings{}
	for _, file := range files {
		data, err := readLimited(file, configLimit)
		if err == nil {
			err = all.read(data, filepath.Dir(file), m.Lookup)
		}
		if err != nil {
			return Sources{}, because(err, "correct it, or name another with --configfile", "%s: %v", file, bare(err))
		}
	}
	return all.sources()
}

// files lists the NuGet.Config files that there are, the farthest first.
func (m Machine) files() []string {
	var files []string
	first := func(dir string, names ...string) {
		for _, name := range names {
			if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
				files = append(files, filepath.Join(dir, name))
				return
			}
		}
	}
	for dir := m.Dir; dir != ""; dir = filepath.Dir(dir) {
		first(dir, configNames...)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if m.AppData != "" {
		first(filepath.Join(m.AppData, "NuGet"), configNames...)
	} else if m.Home != "" {
		n := len(files)
		first(filepath.Join(m.Home, ".nuget", "NuGet"), configNames...)
		if len(files) == n {
			first(filepath.Join(m.Home, ".config", "NuGet"), configNames...)
		}
	}
	slices.Reverse(files)
	// A project below the home folder finds the user's own twice.
	var once []string
	for _, f := range files {
		if !slices.Contains(once, f) {
			once = append(once, f)
		}
	}
	return once
}

// settings are what NuGet.Config files say together.
type settings struct {
	said     bool // whether any of them speaks of sources
	list     []configured
	disabled map[string]bool
	mapping  map[string][]string
	login    map[string]login // by the name of the source, in lower case
}

type configured struct {
	Source
	key string
}

// element is any element of the file: its sections are lists of them.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
}

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if strings.EqualFold(a.Name.Local, name) {
			return a.Value
		}
	}
	return ""
}

func (s *settings) read(data []byte, dir string, lookup func(string) (string, bool)) error {
	var root element
	if err := xml.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &root); err != nil {
		return err
	}
	for _, section := range root.Children {
		switch section.XMLName.Local {
		case "packageSources":
			s.said = true
			if err := s.readSources(section, dir, lookup); err != nil {
				return err
			}
		case "disabledPackageSources":
			s.readDisabled(section)
		case "packageSourceCredentials":
			if err := s.readLogins(section, lookup); err != nil {
				return err
			}
		case "packageSourceMapping":
			s.readMapping(section)
		}
	}
	return nil
}

func (s *settings) readSources(section element, dir string, lookup func(string) (string, bool)) error {
	for _, e := range section.Children {
		key := e.attr("key")
		same := func(c configured) bool { return strings.EqualFold(c.key, key) }
		switch e.XMLName.Local {
		case "clear":
			s.list = nil
		case "remove":
			s.list = slices.DeleteFunc(s.list, same)
		case "add":
			source, err := NewSource(key, percent(e.attr("value"), lookup), dir)
			if err != nil {
				return err
			}
			source.insecure = strings.EqualFold(e.attr("allowInsecureConnections"), "true")
			s.list = append(slices.DeleteFunc(s.list, same), configured{source, key})
		}
	}
	return nil
}

func (s *settings) readDisabled(section element) {
	for _, e := range section.Children {
		key := strings.ToLower(e.attr("key"))
		switch {
		case e.XMLName.Local == "clear":
			s.disabled = nil
		case e.XMLName.Local == "add":
			if s.disabled == nil {
				s.disabled = map[string]bool{}
			}
			s.disabled[key] = strings.EqualFold(e.attr("value"), "true")
		}
	}
}

func (s *settings) readMapping(section element) {
	for _, e := range section.Children {
		if e.XMLName.Local == "clear" {
			s.mapping = nil
			continue
		}
		var patterns []string
		for _, p := range e.Children {
			if p.XMLName.Local == "package" && p.attr("pattern") != "" {
				patterns = append(patterns, p.attr("pattern"))
			}
		}
		if s.mapping == nil {
			s.mapping = map[string][]string{}
		}
		s.mapping[e.attr("key")] = patterns
	}
}

// sources puts together what the files say.
func (s *settings) sources() (Sources, error) {
	all := Sources{mapping: s.mapping}
	if !s.said {
		all.mapping = nil
		all.List = []Source{{Name: "nuget.org", URL: PublicIndex}}
		return all, nil
	}
	for _, c := range s.list {
		if s.disabled[strings.ToLower(c.key)] {
			continue
		}
		if l, ok := s.login[strings.ToLower(c.key)]; ok {
			c.user, c.password = l.user, l.password
		}
		all.List = append(all.List, c.Source)
	}
	return all, nil
}

var percentName = regexp.MustCompile(`%([^%\s]+)%`)

// percent replaces %NAME% in a value of NuGet.Config. One that has no value stays, as it does for NuGet.
func percent(text string, lookup func(string) (string, bool)) string {
	return percentName.ReplaceAllStringFunc(text, func(word string) string {
		if lookup != nil {
			if value, ok := lookup(strings.Trim(word, "%")); ok {
				return value
			}
		}
		return word
	})
}

// ThisMachine is the machine as a list of key=value describes it.
func ThisMachine(dir string, lookup func(string) (string, bool)) Machine {
	m := Machine{Dir: dir, Lookup: lookup}
	m.Home, _ = lookup("HOME")
	if runtime.GOOS == "windows" {
		m.Home, _ = lookup("USERPROFILE")
		m.AppData, _ = lookup("APPDATA")
	}
	return m
}

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("has more than %d bytes", limit)
	}
	return data, err
}

// bare drops the path and the call that an error of the system repeats.
func bare(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
