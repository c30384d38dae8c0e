package nuget

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A Cache keeps what was downloaded, by its contents, and what sources said of it. Several processes may
// use one at a time: a file in it has its contents from the moment that it is there.
//
//	packages/SHA512.nupkg              in hexadecimal digits
//	sources/SOURCE/ID/VERSION.sha512   what a source gave for a version
//	sources/SOURCE/ID/versions.json    which versions it said there are
type Cache struct{ Dir string }

// CacheOf returns the cache of a user, by what variables say of where one is.
func CacheOf(lookup func(string) (string, bool)) (Cache, error) {
	places := [][]string{{"XDG_CACHE_HOME"}, {"HOME", ".cache"}}
	switch runtime.GOOS {
	case "windows":
		places = [][]string{{"LOCALAPPDATA"}}
	case "darwin":
		places = [][]string{{"HOME", "Library", "Caches"}}
	}
	for _, place := range places {
		if dir, ok := lookup(place[0]); ok && filepath.IsAbs(dir) {
			return Cache{filepath.Join(dir, filepath.Join(place[1:]...), "mcpfunc", "nuget")}, nil
		}
	}
	return Cache{}, failure("set "+places[0][0], "there is no cache folder for packages")
}

// Digest is a SHA-512 as NuGet writes it: in base64.
type Digest string

func (d Digest) hex() (string, bool) {
	sum, err := base64.StdEncoding.DecodeString(string(d))
	return hex.EncodeToString(sum), err == nil && len(sum) == sha512.Size
}

// Hex is the digest in hexadecimal digits, or "" for an invalid one.
func (d Digest) Hex() string {
	if text, ok := d.hex(); ok {
		return text
	}
	return ""
}

func digestOf(sum []byte) Digest { return Digest(base64.StdEncoding.EncodeToString(sum)) }

// file returns the file with the contents of that digest, if it is there and they are right.
func (c Cache) file(d Digest) (string, bool) {
	name, ok := d.hex()
	if !ok {
		return "", false
	}
	path := filepath.Join(c.Dir, "packages", name+".nupkg")
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	hash := sha512.New()
	if _, err := io.Copy(hash, f); err != nil || digestOf(hash.Sum(nil)) != d {
		return "", false
	}
	return path, true
}

// add takes in a file of the cache's folder, and returns where it is.
func (c Cache) add(temp string, d Digest) (string, error) {
	name, ok := d.hex()
	if !ok {
		return "", fmt.Errorf("invalid digest %q", d)
	}
	path := filepath.Join(c.Dir, "packages", name+".nupkg")
	return path, os.Rename(temp, path)
}

// temp makes a file to write a download to.
func (c Cache) temp() (*os.File, error) {
	dir := filepath.Join(c.Dir, "packages")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return os.CreateTemp(dir, ".download-")
}

// folder is the folder with notes of a source on a package. Its name does not contain the address, which may be long
// and private.
func (c Cache) folder(s Source, id string) string {
	sum := sha256.Sum256([]byte(s.URL))
	return filepath.Join(c.Dir, "sources", hex.EncodeToString(sum[:8]), strings.ToLower(id))
}

// known returns the digest of what a source gave for a version.
func (c Cache) known(s Source, id string, v Version) (Digest, bool) {
	data, err := os.ReadFile(filepath.Join(c.folder(s, id), v.lower()+".sha512"))
	return Digest(strings.TrimSpace(string(data))), err == nil
}

func (c Cache) note(s Source, id string, v Version, d Digest) error {
	return c.write(filepath.Join(c.folder(s, id), v.lower()+".sha512"), []byte(d))
}

// versions returns which versions a source has said there are.
func (c Cache) versions(s Source, id string) ([]listing, error) {
	data, err := os.ReadFile(filepath.Join(c.folder(s, id), "versions.json"))
	var texts []listing
	if err == nil {
		err = json.Unmarshal(data, &texts)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return texts, err
}

func (c Cache) noteVersions(s Source, id string, all []listing) error {
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return c.write(filepath.Join(c.folder(s, id), "versions.json"), data)
}

func (c Cache) write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".note-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
