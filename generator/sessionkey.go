package generator

import (
	"crypto/rand"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/tailscale/hujson"
)

// SessionKeySetting is the app setting that holds the keys by which any instance can serve a session
// (Config.SessionKeys of the runtime).
const SessionKeySetting = "MCPFUNC_SESSION_KEY"

// NewSessionKey returns a new key as the runtime reads it: 32 random bytes in base64. It is a secret.
func NewSessionKey() string {
	key := make([]byte, 32)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

// settingsPath holds the app settings of this machine, secrets among them: only its owner may read
// it, git does not see it, and it is not published.
const settingsPath = "local.settings.json"

// addKey turns the keeping of a settings file that has no key into an update that adds one.
func (s *step) addKey(key string) {
	if key == "" || s.found.blocked != "" {
		return
	}
	if data, ok := withKey(s.found.data, key); ok {
		s.Action, s.file.Data = Update, data
	}
}

// withKey returns a settings file with key before its other values, and every other byte as it was.
// It reports false where there is a key, be it an empty one, and where nothing can be added: in a file
// whose values are encrypted, or that is broken, which others tell of.
func withKey(settings []byte, key string) ([]byte, bool) {
	text, bom := strings.CutPrefix(string(settings), "\ufeff")
	file, err := hujson.Parse([]byte(text))
	if err != nil {
		return nil, false
	}
	if encrypted, found := memberOf(file.Value, "IsEncrypted"); found && encrypted.Value.Kind() == 't' {
		return nil, false
	}
	found, _ := memberOf(file.Value, "Values")
	values, isObject := found.Value.(*hujson.Object)
	if !isObject {
		return nil, false
	}
	if _, there := memberOf(values, SessionKeySetting); there {
		return nil, false
	}
	added := strconv.Quote(SessionKeySetting) + ": " + strconv.Quote(key)
	if len(values.Members) > 0 {
		before := string(values.Members[0].Name.BeforeExtra)
		before = before[:len(before)-len(strings.TrimLeft(before, " \t\r\n"))] // without comments
		added = before + added + ","
		if before == "" {
			added += " "
		}
	}
	at := found.StartOffset + len("{")
	text = text[:at] + added + text[at:]
	if bom {
		text = "\ufeff" + text
	}
	return []byte(text), true
}

// memberOf returns a member of an object, whose name may be written in any case, as the host reads it.
func memberOf(v hujson.ValueTrimmed, name string) (hujson.Value, bool) {
	object, _ := v.(*hujson.Object)
	if object == nil {
		return hujson.Value{}, false
	}
	for _, m := range object.Members {
		if literal, ok := m.Name.Value.(hujson.Literal); ok && strings.EqualFold(literal.String(), name) {
			return m.Value, true
		}
	}
	return hujson.Value{}, false
}
