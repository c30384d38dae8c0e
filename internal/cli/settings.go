package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// settingsLookup answers for the variables that the app of the project in dir sees on this
// machine: the environment, and behind it the Values of local.settings.json.
func settingsLookup(env *Env, dir string) (func(string) (string, bool), error) {
	path := filepath.Join(dir, "local.settings.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return env.lookup, nil
	}
	if err != nil {
		return nil, err
	}
	var settings struct{ Values map[string]any }
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &settings); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return func(name string) (string, bool) {
		if value, ok := env.lookup(name); ok {
			return value, true
		}
		value, ok := settings.Values[name]
		if !ok || value == nil {
			return "", ok
		}
		return fmt.Sprint(value), true
	}, nil
}
