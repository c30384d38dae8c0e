package pack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mcpfunc/mcpfunc/internal/nuget"
)

// nugetName is the lock of what comes from NuGet, in the folder of a server or of what servers share.
const nugetName = "nuget.json"

// A nugetLock is what a server of .NET is installed from, or the .NET that servers share.
type nugetLock struct {
	Packages []nugetPackage `json:"packages"`
}

// A nugetPackage is one package, with the hash that its contents must have.
type nugetPackage struct {
	ID      string       `json:"id"`
	Version string       `json:"version"`
	SHA512  nuget.Digest `json:"sha512"` // of the nupkg, in base64 as NuGet has it
	License string       `json:"license,omitempty"`
	Folder  string       `json:"folder,omitempty"` // what of a tool is run
}

// readNugetLock reads the lock in a folder. One that is not there is an error that is fs.ErrNotExist.
func readNugetLock(dir string) (*nugetLock, error) {
	path := filepath.Join(dir, nugetName)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	l := new(nugetLock)
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("%s: %w", nugetName, err)
	}
	for _, p := range l.Packages {
		if _, err := nuget.ParseVersion(p.Version); err != nil || !nuget.ValidID(p.ID) || p.SHA512.Hex() == "" {
			return nil, fmt.Errorf("%s: %s %s is not a package with a version and a hash", nugetName, p.ID, p.Version)
		}
	}
	return l, nil
}

// version is the package's, which was checked when it was read.
func (p nugetPackage) version() nuget.Version {
	v, _ := nuget.ParseVersion(p.Version)
	return v
}

// nugetComponents returns what is locked in a folder, or nothing.
func nugetComponents(dir string) ([]component, error) {
	l, err := readNugetLock(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []component
	for _, p := range l.Packages {
		all = append(all, component{ecosystem: "nuget", name: p.ID, version: p.Version, hashes: []string{"sha512:" + p.SHA512.Hex()}, license: p.License})
	}
	return all, nil
}

// addLibraries adds what the tools in a server's tree were built with, as far as they say so.
func addLibraries(all []component, tree string) ([]component, error) {
	for _, pattern := range []string{"*.deps.json", filepath.Join("*", "*.deps.json")} {
		files, err := filepath.Glob(filepath.Join(tree, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			libraries, err := nuget.Libraries(data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
			for _, l := range libraries {
				c := component{ecosystem: "nuget", name: l.ID, version: l.Version}
				if sum := l.Digest.Hex(); sum != "" {
					c.hashes = []string{"sha512:" + sum}
				}
				all = append(all, c)
			}
		}
	}
	return all, nil
}
