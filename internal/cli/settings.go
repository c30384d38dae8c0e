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
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// settingsLookup answers for the variables that the app of the project in dir sees on this
// machine: the environment, and behind it the Values of local.settings.json.
func settingsLookup(env *Env, dir string) (func(string) (string, bool), error) {
	settings, err := localSettings(dir)
	if err != nil {
		return nil, err
	}
	return func(name string) (string, bool) {
		if value, ok := env.lookup(name); ok {
			return value, true
		}
		value, ok := settings[name]
		return value, ok
	}, nil
}

// localSettings returns the Values of local.settings.json, as text. Having no such file is right.
func localSettings(dir string) (map[string]string, error) {
	path := filepath.Join(dir, "local.settings.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err = hujson.Standardize(bytes.TrimPrefix(data, []byte("\ufeff"))) // the host takes comments, too
	if err != nil {
		return nil, fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "hujson: "))
	}
	var file struct{ Values map[string]any }
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	settings := map[string]string{}
	for name, value := range file.Values {
		if value == nil {
			value = ""
		}
		settings[name] = fmt.Sprint(value)
	}
	return settings, nil
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
