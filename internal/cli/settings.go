package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/config"
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

// resolveConfig reads the configuration of the project in dir as its app does on this machine.
func resolveConfig(env *Env, dir string) (*config.File, error) {
	lookup, err := settingsLookup(env, dir)
	if err != nil {
		return nil, err
	}
	return config.Load(filepath.Join(dir, configName), lookup)
}

// wanted returns the names of the variables that the app does not start without.
func wanted(variables []config.Variable) []string {
	var names []string
	for _, v := range variables {
		if !v.Optional && !slices.Contains(names, v.Name) {
			names = append(names, v.Name)
		}
	}
	return names
}
