package nuget

import (
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// PublicIndex is the service index that is asked where nothing else is configured.
const PublicIndex = "https://api.nuget.org/v3/index.json"

// A Source is a place that has packages: the service index of a feed, or a folder with packages in it.
type Source struct {
	Name string // in NuGet.Config, or what was given
	URL  string // without a user's name and password; empty for a folder
	Dir  string

	user, password string
	insecure       bool // HTTP without TLS is meant
}

// Sources are the places that packages come from, in the order in which they are asked.
type Sources struct {
	List         []Source
	IgnoreFailed bool // one that does not answer counts as one that has nothing

	mapping map[string][]string // patterns of ids by the name of the source; nil for none
}

// NewSource returns the source that text names: a URL or a folder, relative to dir. A URL may hold a user's
// name and password.
func NewSource(name, text, dir string) (Source, error) {
	s := Source{Name: name}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		if strings.Contains(text, "://") && (err != nil || u.Scheme != "file") {
			return s, failure("", "invalid source %s: want an HTTPS URL or a folder", s.shown())
		}
		if err == nil && u.Scheme == "file" {
			text = u.Path
		}
		if s.Dir = filepath.FromSlash(strings.ReplaceAll(text, `\`, "/")); !filepath.IsAbs(s.Dir) {
			s.Dir = filepath.Join(dir, s.Dir)
		}
		return s, nil
	}
	if u.User != nil {
		s.user = u.User.Username()
		password, given := u.User.Password()
		if s.password = password; !given { // a token that stands alone
			s.user, s.password = "token", s.user
		}
		u.User = nil
	}
	s.URL = u.String()
	if name == text {
		s.Name = u.Host
	}
	return s, nil
}

// check says why a source is not asked.
func (s Source) check() error {
	u, err := url.Parse(s.URL)
	switch {
	case s.Dir != "":
		return nil
	case err != nil:
		return failure("", "the source %s has an invalid address", s.shown())
	case u.Scheme == "http" && !s.insecure && !loopback(u.Hostname()):
		return failure(`use its HTTPS address, or set allowInsecureConnections="true" for it in NuGet.Config`,
			"the source %s is used without TLS, so anyone on the network path could change a package", s.shown())
	case !strings.HasSuffix(u.Path, ".json"):
		return failure("use the address of the feed's service index, which ends in /index.json",
			"the source %s is not a NuGet v3 feed", s.shown())
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// shown is what errors call a source: what an address holds beside the host may be what opens it.
func (s Source) shown() string {
	if s.Dir != "" {
		return s.Dir
	}
	if u, err := url.Parse(s.URL); err == nil && u.Host != "" {
		return u.Host
	}
	return s.Name
}

func (s Source) same(t Source) bool { return s.URL == t.URL && s.Dir == t.Dir }

// add appends those that are not there yet.
func (s *Sources) add(more ...Source) {
	for _, m := range more {
		if !slices.ContainsFunc(s.List, m.same) {
			s.List = append(s.List, m)
		}
	}
}

// For returns the sources that may have a package: all of them, unless a mapping of NuGet.Config says which
// (learn.microsoft.com/nuget/consume-packages/package-source-mapping): the longest pattern counts.
func (s Sources) For(id string) []Source {
	if s.mapping == nil {
		return s.List
	}
	id = strings.ToLower(id)
	longest := -1
	var names []string
	for name, patterns := range s.mapping {
		for _, p := range patterns {
			n := matchLength(strings.ToLower(p), id)
			if n > longest {
				longest, names = n, nil
			}
			if n == longest && n >= 0 {
				names = append(names, name)
			}
		}
	}
	var list []Source
	for _, source := range s.List {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, source.Name) }) {
			list = append(list, source)
		}
	}
	return list
}

// matchLength is how well a pattern fits an id, the more the better; -1 for not at all.
func matchLength(pattern, id string) int {
	prefix, open := strings.CutSuffix(pattern, "*")
	switch {
	case !open && pattern == id:
		return len(id) + 1
	case open && strings.HasPrefix(id, prefix):
		return len(prefix)
	}
	return -1
}

// names lists the sources for a sentence.
func names(list []Source) string {
	var words []string
	for _, s := range list {
		words = append(words, s.shown())
	}
	return strings.Join(words, " and ")
}
