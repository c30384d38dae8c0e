package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// LockFolder is where the locks of a project lie: to be committed, and not published.
//
//	mcp_lock/mcp_lock.json           this package's Lock
//	mcp_lock/NAME/requirements.txt   Python: versions, and the hashes of what may be installed for them
//	mcp_lock/NAME/package.json       Node: what was asked for
//	mcp_lock/NAME/package-lock.json  Node: versions with their hashes
//	mcp_lock/NAME/nuget.json         .NET: packages with their versions and hashes
//	mcp_lock/_dotnet/nuget.json      the same of the .NET that servers share
//	mcp_lock/NAME/fork.txt           what a server in Python is forked with, where it can be
//	mcp_lock/NAME/tools.json         what the server said its tools are, to be read in a review
const (
	LockFolder = "mcp_lock"
	lockName   = "mcp_lock.json"

	requirementsName = "requirements.txt"
	packageName      = "package.json"
	packageLockName  = "package-lock.json"
	toolsName        = "tools.json"
)

// nodeFolder is where the lock of a vendored node lies. No server's name begins so.
const nodeFolder = "_node"

// lockFormat is the version of Lock.
const lockFormat = 1

// Settings are choices for a whole project. They stay in the lock, so that packing again needs no
// flags.
type Settings struct {
	Python   string   `json:"python"`             // major.minor
	Node     string   `json:"node,omitempty"`     // a version or range of node to vendor; empty for none
	Scripts  bool     `json:"scripts,omitempty"`  // packages may run code while they are installed
	Programs []string `json:"programs,omitempty"` // names on PATH that are vendored
	Leave    []string `json:"leave,omitempty"`    // servers that start as written
}

// A Lock is what a project was packed from.
type Lock struct {
	Format   int    `json:"format"`
	Platform string `json:"platform"`
	Settings
	Servers map[string]Locked `json:"servers"`
}

// A Locked is one server in a Lock. Its packages are in files of its own.
type Locked struct {
	Kind   Kind     `json:"kind"`
	Wants  []string `json:"wants,omitempty"`  // packages, as asked for
	Inputs string   `json:"inputs,omitempty"` // digest of whatever else it follows from: options, files of the project
	SHA256 string   `json:"sha256,omitempty"` // of a program
}

// ReadLock reads the lock of the project in dir. A project without one gives an error that is
// fs.ErrNotExist.
func ReadLock(dir string) (*Lock, error) {
	data, err := os.ReadFile(filepath.Join(dir, LockFolder, lockName))
	if err != nil {
		return nil, err
	}
	l, err := parseLock(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(LockFolder, lockName), err)
	}
	return l, nil
}

func parseLock(data []byte) (*Lock, error) {
	l := new(Lock)
	if err := json.Unmarshal(data, l); err != nil {
		return nil, err
	}
	switch {
	case l.Format != lockFormat:
		return nil, fmt.Errorf("has format %d, but this mcpfunc reads format %d", l.Format, lockFormat)
	case !slices.Contains(Platforms(), l.Platform):
		return nil, fmt.Errorf("is for %q, but only %s are supported", l.Platform, strings.Join(Platforms(), " and "))
	case !minorVersion.MatchString(l.Python):
		return nil, fmt.Errorf("invalid python %q: want 3.minor", l.Python)
	}
	return l, nil
}

func (l *Lock) write(dir string) error {
	return writeJSON(filepath.Join(dir, LockFolder, lockName), l)
}

// encode is json.Marshal for a file that people read.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}

func writeJSON(path string, v any) error {
	data, err := encode(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// digest returns the digest of what is locked for a server of the project in dir: its entry and its
// files, but for its tools, which say nothing about what is installed.
func (l *Lock) digest(dir, name string) (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	if err := enc.Encode([]any{l.Platform, l.Python, l.Scripts, l.Servers[name]}); err != nil {
		return "", err
	}
	for _, file := range []string{requirementsName, packageName, packageLockName} {
		data, err := os.ReadFile(filepath.Join(dir, LockFolder, name, file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err := enc.Encode([]any{file, string(data)}); err != nil {
			return "", err
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, LockFolder, name, nugetName))
	if err == nil {
		err = enc.Encode([]any{nugetName, string(data)})
	} else if errors.Is(err, fs.ErrNotExist) { // nothing, so that locks without it keep their digest
		err = nil
	}
	return hex.EncodeToString(h.Sum(nil)), err
}

// A Tool is what a server says of one of its tools. Description is what a model is told first, and so the
// place for a hidden order, but any word of the rest may be one as well.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Digest      string          `json:"sha256"`         // that it is pinned by; empty in what was written before tools were
	Says        json.RawMessage `json:"says,omitempty"` // all that the digest is of, as the server wrote it
}

// readTools returns the tools that a server had when it was packed; false when nobody asked.
func readTools(dir, name string) ([]Tool, bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, LockFolder, name, toolsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	var tools []Tool
	if err := json.Unmarshal(data, &tools); err != nil {
		return nil, false, fmt.Errorf("%s: %w", filepath.Join(LockFolder, name, toolsName), err)
	}
	return tools, true, nil
}

func writeTools(dir, name string, tools []Tool) error {
	if tools == nil {
		tools = []Tool{}
	}
	slices.SortFunc(tools, func(a, b Tool) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	data, err := encode(tools)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, LockFolder, name, toolsName)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, visible(data), 0o644)
}

// blanks are letters and symbols that are shown as nothing.
const blanks = "\u115f\u1160\u2800\u3164\uffa0"

// visible writes as escapes what an editor or a terminal shows as nothing, or as something else, in JSON that
// has such characters in strings alone: who reviews what a model is told must see all of it.
func visible(data []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(data) {
		switch {
		case r == '\n' || unicode.IsPrint(r) && !unicode.Is(unicode.Mn, r) && !strings.ContainsRune(blanks, r):
			b.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

// pins returns the digests of the tools of the project in dir, as far as its servers were asked for them.
func pins(dir string, lock *Lock) (packmanifest.Pins, error) {
	all := packmanifest.Pins{}
	for name := range lock.Servers {
		tools, known, err := readTools(dir, name)
		if err != nil {
			return nil, err
		}
		if !known || slices.ContainsFunc(tools, func(t Tool) bool { return t.Digest == "" }) {
			continue
		}
		all[name] = map[string]string{}
		for _, t := range tools {
			all[name][t.Name] = t.Digest
		}
	}
	return all, nil
}

// writePins writes the pins of the project in dir beside what the app starts from.
func writePins(dir string, lock *Lock) error {
	all, err := pins(dir, lock)
	if err != nil {
		return err
	}
	data, err := all.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, packmanifest.Folder, packmanifest.PinsName), data, 0o644)
}
