package nuget

import (
	"crypto/sha512"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// folderVersions lists a folder with packages in it: ID.VERSION.nupkg, there or in ID/VERSION/.
func folderVersions(s Source, id string) ([]listing, error) {
	files, err := folderFiles(s, id)
	if err != nil {
		return nil, err
	}
	var list []listing
	for text := range files {
		list = append(list, listing{Text: text})
	}
	if len(list) == 0 {
		return nil, ErrAbsent
	}
	return parsed(list), nil
}

// folderFiles returns the files of a package by their versions, normalized.
func folderFiles(s Source, id string) (map[string]string, error) {
	if _, err := os.Stat(s.Dir); err != nil {
		return nil, because(err, "correct it, or name another with --source", "the source %s cannot be read: %v", s.Dir, bare(err))
	}
	files := map[string]string{}
	lower := strings.ToLower(id)
	take := func(dir string) error {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			rest, ok := strings.CutPrefix(strings.ToLower(e.Name()), lower+".")
			rest, ok2 := strings.CutSuffix(rest, ".nupkg")
			if v, err := ParseVersion(rest); ok && ok2 && err == nil && !e.IsDir() {
				files[v.lower()] = filepath.Join(dir, e.Name())
			}
		}
		return nil
	}
	if err := take(s.Dir); err != nil {
		return nil, err
	}
	below, err := os.ReadDir(filepath.Join(s.Dir, lower))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range below {
		if err := take(filepath.Join(s.Dir, lower, e.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// fromFolder copies a package of a folder into the cache.
func (c *Client) fromFolder(s Source, id string, v Version, title string, want Digest) (File, error) {
	files, err := folderFiles(s, id)
	if err != nil {
		return File{}, err
	}
	path, ok := files[v.lower()]
	if !ok {
		return File{}, ErrAbsent
	}
	from, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer from.Close()
	to, err := c.Cache.temp()
	if err != nil {
		return File{}, err
	}
	defer os.Remove(to.Name())
	hash := sha512.New()
	_, err = io.Copy(io.MultiWriter(to, hash), from)
	if err = errors.Join(err, to.Close()); err != nil {
		return File{}, err
	}
	got := digestOf(hash.Sum(nil))
	if want != "" && got != want {
		return File{}, wrongHash(title, s, got, want)
	}
	path, err = c.Cache.add(to.Name(), got)
	return File{path, got}, err
}
