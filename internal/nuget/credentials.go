package nuget

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// A login is what opens a source.
type login struct{ user, password string }

func (s *settings) readLogins(section element, lookup func(string) (string, bool)) error {
	for _, e := range section.Children {
		name := decodeName(e.XMLName.Local)
		var l login
		encrypted := false
		for _, add := range e.Children {
			value := percent(add.attr("value"), lookup)
			switch strings.ToLower(add.attr("key")) {
			case "username":
				l.user = value
			case "cleartextpassword":
				l.password = value
			case "password":
				encrypted = true
			}
		}
		if encrypted && l.password == "" {
			return failure("write it there as ClearTextPassword with the value %NAME%, which is a variable, or pass the source as --source https://USER:${NAME}@...",
				"the password of the source %q is encrypted for another program", name)
		}
		if s.login == nil {
			s.login = map[string]login{}
		}
		s.login[strings.ToLower(name)] = l
	}
	return nil
}

var escaped = regexp.MustCompile(`_x([0-9A-Fa-f]{4})_`)

// decodeName is the reverse of .NET's XmlConvert.EncodeLocalName: a source's name becomes one of an element.
func decodeName(name string) string {
	return escaped.ReplaceAllStringFunc(name, func(word string) string {
		n, err := strconv.ParseUint(word[2:6], 16, 16)
		if err != nil {
			return word
		}
		return string(rune(n))
	})
}

// credentials adds what the environment has of them: a variable for each source by its name
// (learn.microsoft.com/nuget/reference/nuget-config-file, "packageSourceCredentials"), and the list that the
// credential provider of Azure Artifacts reads.
func (m Machine) credentials(s *Sources) error {
	if m.Lookup == nil {
		return nil
	}
	var artifacts struct {
		EndpointCredentials []struct{ Endpoint, Username, Password string }
	}
	if text, ok := m.Lookup("VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"); ok && text != "" {
		if err := json.Unmarshal([]byte(text), &artifacts); err != nil {
			return failure("", "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS is not JSON")
		}
	}
	for i := range s.List {
		source := &s.List[i]
		if source.password != "" || source.URL == "" {
			continue
		}
		if text, ok := m.Lookup("NuGetPackageSourceCredentials_" + source.Name); ok {
			for part := range strings.SplitSeq(text, ";") {
				switch key, value, _ := strings.Cut(part, "="); strings.ToLower(strings.TrimSpace(key)) {
				case "username":
					source.user = value
				case "password":
					source.password = value
				}
			}
		}
		for _, e := range artifacts.EndpointCredentials {
			if e.Endpoint == source.URL && source.password == "" {
				source.user, source.password = e.Username, e.Password
				if source.user == "" {
					source.user = "token"
				}
			}
		}
	}
	return nil
}
