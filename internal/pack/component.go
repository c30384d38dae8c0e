package pack

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// A component is one package that is locked for a server.
type component struct {
	ecosystem string // of its package URL: pypi, npm, nuget
	name      string
	version   string
	hashes    []string // "sha256:hex": of the files that may be installed for it
	license   string   // an SPDX expression or a name; npm's lock has it, Python's packages have it when installed
	path      string   // npm: where it is installed, relative to the server's folder
}

// components returns what is locked for a server of the project in dir, in a fixed order. What a script
// of the project locks itself is known once it is packed.
func components(dir, name string) ([]component, error) {
	folder := filepath.Join(dir, LockFolder, name)
	var all []component
	data, err := os.ReadFile(filepath.Join(folder, requirementsName))
	if err == nil {
		if all, err = parseRequirements(string(data)); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(LockFolder, name, requirementsName), err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	fromNuget, err := nugetComponents(folder)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(LockFolder, name), err)
	}
	all = append(all, fromNuget...)
	lock, err := readPackageLock(folder)
	prefix := ""
	if errors.Is(err, fs.ErrNotExist) { // a script of the project comes with a lock of its own
		prefix = "app/"
		lock, err = readPackageLock(filepath.Join(dir, packmanifest.Folder, name, "app"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	for _, c := range npmComponents(lock) {
		c.path = prefix + c.path
		all = append(all, c)
	}
	return all, nil
}

// pin is the first line of a package in a requirements.txt with hashes (pip, "Requirements File
// Format").
var pin = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)`)

// parseRequirements reads what `uv pip compile --generate-hashes` writes.
func parseRequirements(text string) ([]component, error) {
	var all []component
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), `\`))
		switch hash, isHash := strings.CutPrefix(line, "--hash="); {
		case line == "" || strings.HasPrefix(line, "#"):
		case isHash && len(all) > 0:
			last := &all[len(all)-1]
			last.hashes = append(last.hashes, hash)
		default:
			m := pin.FindStringSubmatch(line)
			if m == nil {
				return nil, fmt.Errorf("line %d is not a pinned package: %q", n+1, line)
			}
			all = append(all, component{ecosystem: "pypi", name: normalName(m[1]), version: m[2]})
		}
	}
	for _, c := range all {
		if len(c.hashes) == 0 {
			return nil, fmt.Errorf("%s has no hash", c.name)
		}
	}
	return all, nil
}

// npmComponents returns the packages of a lock. A license is a name or, in old packages, an object.
func npmComponents(lock *packageLock) []component {
	var all []component
	for _, p := range lock.packages() {
		c := component{ecosystem: "npm", name: p.name(), version: p.Version, path: p.path}
		for hash := range strings.FieldsSeq(p.Integrity) { // Subresource Integrity: there may be several
			algorithm, encoded, _ := strings.Cut(hash, "-")
			encoded, _, _ = strings.Cut(encoded, "?")
			if sum, err := base64.StdEncoding.DecodeString(encoded); err == nil && encoded != "" {
				c.hashes = append(c.hashes, algorithm+":"+hex.EncodeToString(sum))
			}
		}
		var old struct{ Type string }
		if json.Unmarshal(p.License, &c.license) != nil && json.Unmarshal(p.License, &old) == nil {
			c.license = old.Type
		}
		all = append(all, c)
	}
	return all
}

// addLicenses fills in the licenses that installed Python packages name.
func addLicenses(all []component, site string) error {
	infos, err := filepath.Glob(filepath.Join(site, "*.dist-info", "METADATA"))
	if err != nil {
		return err
	}
	for _, path := range infos {
		dist, _, _ := strings.Cut(filepath.Base(filepath.Dir(path)), "-")
		i := slices.IndexFunc(all, func(c component) bool { return c.ecosystem == "pypi" && c.name == normalName(dist) })
		if i < 0 {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all[i].license = licenseIn(string(data))
	}
	return nil
}

// licenseIn returns the license of a METADATA file: the expression (PEP 639), else what a classifier
// says, else the old field where it is a line and not the whole text.
func licenseIn(metadata string) string {
	head, _, _ := strings.Cut(strings.ReplaceAll(metadata, "\r\n", "\n"), "\n\n")
	var classifier, field string
	for line := range strings.SplitSeq(head, "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "License-Expression":
			return value
		case "License":
			field = value
		case "Classifier":
			if _, license, ok := strings.Cut(value, "License :: OSI Approved :: "); ok && classifier == "" {
				classifier = license
			}
		}
	}
	if field != "" && field != "UNKNOWN" && len(field) <= 40 {
		return field
	}
	return classifier
}
