package nuget

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
)

// manifestNames are where a folder has its tool manifest (dotnet tool run --help, "local tools").
var manifestNames = []string{filepath.Join(".config", "dotnet-tools.json"), "dotnet-tools.json"}

// A LocalTool is what a tool manifest says of a package.
type LocalTool struct {
	Package     string
	Version     Version
	RollForward bool
	File        string // the manifest
}

// FindLocalTool looks for a tool in the manifests of dir and of the folders above it, up to top, which is
// the last: for a command where byCommand is set, else for a package. It reports false where none names it.
func FindLocalTool(dir, top, name string, byCommand bool) (LocalTool, bool, error) {
	for {
		for _, file := range manifestNames {
			file = filepath.Join(dir, file)
			data, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return LocalTool{}, false, err
			}
			tool, root, err := readManifest(data, name, byCommand)
			if err != nil {
				return LocalTool{}, false, fmt.Errorf("%s: %w", file, err)
			}
			if tool.Package != "" {
				tool.File = file
				return tool, true, nil
			}
			if root {
				return LocalTool{}, false, nil
			}
		}
		if dir == top || dir == filepath.Dir(dir) {
			return LocalTool{}, false, nil
		}
		dir = filepath.Dir(dir)
	}
}

func readManifest(data []byte, name string, byCommand bool) (tool LocalTool, root bool, err error) {
	data, err = hujson.Standardize(bytes.TrimPrefix(data, []byte("\ufeff")))
	if err != nil {
		return tool, false, err
	}
	var manifest struct {
		IsRoot bool
		Tools  map[string]struct {
			Version     string
			Commands    []string
			RollForward bool
		}
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		return tool, false, err
	}
	for id, t := range manifest.Tools {
		if byCommand && !slices.Contains(t.Commands, name) || !byCommand && !strings.EqualFold(id, name) {
			continue
		}
		v, err := ParseVersion(t.Version)
		if err == nil && !ValidID(id) {
			err = fmt.Errorf("invalid package %q", id)
		}
		return LocalTool{Package: id, Version: v, RollForward: t.RollForward}, manifest.IsRoot, err
	}
	return tool, manifest.IsRoot, nil
}
