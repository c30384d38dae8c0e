package packmanifest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// unpack copies the file at path below temp, makes it executable, and returns where it is. A copy
// that an earlier start of the app left there is used again if its contents are right: the host
// kills a handler without a warning, so nobody would clear up after each, and /tmp is small.
//
// A program that looks for other files in its own folder has those of beside there: each entry of it is linked next to
// the copy. Files that are not run need no mode, and so are not copied; a .NET server would be 5 MB of them, and one that
// brings its runtime 80.
//
// /tmp belongs to everybody. The copy is in a folder that only this user can write, named after
// what it must hold, and shared by apps of one package and by no others; a folder that somebody else put there is refused
// and another one made. Servers run as this user: like whatever they write, a copy is as safe as the app's servers are from
// each other.
func unpack(path, sum, beside, temp string) (string, error) {
	private, err := privateDir(temp)
	if err != nil {
		return "", err
	}
	if beside == "" {
		return unpackTo(filepath.Join(private, sum), path, sum)
	}
	name := sha256.Sum256([]byte(sum + "\x00" + beside))
	dir := filepath.Join(private, hex.EncodeToString(name[:]))
	target, err := unpackTo(dir, path, sum)
	if err != nil {
		return "", err
	}
	return target, mirror(beside, dir, filepath.Base(path))
}

// unpackTo is unpack into a folder that nobody else can write.
func unpackTo(dir, path, sum string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	target := filepath.Join(dir, filepath.Base(path))
	if holds(target, sum) {
		return target, nil
	}
	dropHalves(dir, time.Now())
	from, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := os.CreateTemp(dir, halfPrefix)
	if err != nil {
		return "", err
	}
	defer os.Remove(to.Name()) // it has another name by then, unless something failed
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, hash), from)
	if err == nil {
		err = to.Chmod(0o700)
	}
	// It must be closed before it runs, or the system says "text file busy".
	if err = errors.Join(err, to.Close()); err != nil {
		return "", err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return "", fmt.Errorf("its sha256 is %s, but %s was packed", got, sum)
	}
	return target, os.Rename(to.Name(), target)
}

// A half is a copy that is being made, or that an app was killed over: after copyTime.
const (
	halfPrefix = ".copy-"
	copyTime   = 10 * time.Minute
)

// dropHalves removes those in dir that nobody makes any more. One that cannot be removed is left: it
// costs room and nothing else.
func dropHalves(dir string, now time.Time) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), halfPrefix) && now.Sub(info.ModTime()) > copyTime {
			os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

// privateDir returns a folder below temp that nobody else can write.
func privateDir(temp string) (string, error) {
	dir := filepath.Join(temp, "mcpfunc-"+strconv.Itoa(os.Getuid()))
	if err := os.Mkdir(dir, 0o700); err == nil {
		return dir, nil
	}
	if info, err := os.Lstat(dir); err == nil && info.IsDir() && info.Mode().Perm()&0o077 == 0 && ours(info) {
		return dir, nil
	}
	return os.MkdirTemp(temp, "mcpfunc-")
}

// holds reports whether the regular file at path is executable and has that SHA-256.
func holds(path, sum string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o700 != 0o700 {
		return false
	}
	got, err := Sum(path)
	return err == nil && got == sum
}

// Sum returns the SHA-256 of a file in lower-case hex.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
