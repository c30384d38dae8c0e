package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// LoadEnvFile reads the file that a server's envFile names: NAME=value a line, blank lines and lines
// that begin with "#" left out, an "export " before the name allowed. A value may stand in double
// quotes, with Go's escapes, or in single quotes, as it is.
func LoadEnvFile(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, fmt.Errorf("%s: is not a text file", path)
	}
	vars := map[string]string{}
	for i, line := range strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n") {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, err := envLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		vars[name] = value
	}
	return vars, nil
}

// envLine reads one line. Its errors never show the value, which may be a secret.
func envLine(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || name == "" || strings.ContainsAny(name, " \t\"'") {
		return "", "", errors.New("must be NAME=value")
	}
	switch {
	case len(value) > 1 && value[0] == '\'' && value[len(value)-1] == '\'':
		return name, value[1 : len(value)-1], nil
	case strings.HasPrefix(value, `"`):
		if value, err = strconv.Unquote(value); err != nil {
			return "", "", fmt.Errorf("the value of %s has an unclosed double quote or an invalid escape", name)
		}
		return name, value, nil
	}
	value, _, _ = strings.Cut(value, " #")
	return name, strings.TrimSpace(value), nil
}
