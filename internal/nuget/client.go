package nuget

import (
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// What an answer may hold, in bytes.
const (
	documentLimit = 64 << 20
	packageLimit  = 1 << 30
)

// A Client gets packages from sources, by way of a cache. Its methods are called by one goroutine.
type Client struct {
	Cache   Cache
	Offline bool              // nothing is asked of anybody: what is not in the cache is not there
	Log     func(text string) // takes a line of progress of a download; nil for none

	HTTP  *http.Client    // nil: one with the limits below
	Pause []time.Duration // before an attempt is made again, each time; nil for half a second and two

	feeds  map[string]*feed
	listed map[string]answer // of Versions, by source and package
}

// An answer is what a source has said of a package.
type answer struct {
	versions []listing
	err      error // ErrAbsent, or none
}

var pauses = []time.Duration{500 * time.Millisecond, 2 * time.Second}

// ErrAbsent says that no source has what was asked for.
var ErrAbsent = errors.New("not there")

// document gets a small answer.
func (c *Client) document(ctx context.Context, s Source, address string) (data []byte, err error) {
	err = c.get(ctx, s, address, func(resp *http.Response) (err error) {
		data, err = io.ReadAll(io.LimitReader(resp.Body, documentLimit+1))
		if err == nil && len(data) > documentLimit {
			err = failure("", "%s answers with more than %d MB", resp.Request.URL.Host, documentLimit>>20)
		}
		return err
	})
	return data, err
}

// download gets a package into the cache. title is what its progress is told by.
func (c *Client) download(ctx context.Context, s Source, address, title string, want Digest) (path string, got Digest, err error) {
	err = c.get(ctx, s, address, func(resp *http.Response) error {
		file, err := c.Cache.temp()
		if err != nil {
			return err
		}
		defer os.Remove(file.Name())
		hash := sha512.New()
		meter := &meter{title: title, total: resp.ContentLength, log: c.Log, told: time.Now()}
		n, err := io.Copy(io.MultiWriter(file, hash, meter), io.LimitReader(resp.Body, packageLimit+1))
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
		if n > packageLimit {
			return failure("", "%s has more than %d MB", title, packageLimit>>20)
		}
		if got = digestOf(hash.Sum(nil)); want != "" && got != want {
			return wrongHash(title, s, got, want)
		}
		path, err = c.Cache.add(file.Name(), got)
		return err
	})
	return path, got, err
}

func wrongHash(title string, s Source, got, want Digest) error {
	return failure(`somebody may have tampered with it; if its publisher explains the change, run "mcpfunc pack --upgrade" to lock it again`,
		"%s from %s has the SHA-512 %.16s..., but %.16s... is locked", title, s.shown(), got, want)
}

// meter tells of a download while it goes on.
type meter struct {
	title       string
	done, total int64
	log         func(string)
	told        time.Time
}

func (m *meter) Write(p []byte) (int, error) {
	m.done += int64(len(p))
	if m.log != nil && time.Since(m.told) >= reportEvery {
		m.told = time.Now()
		text := fmt.Sprintf("downloading %s: %.1f MB", m.title, float64(m.done)/1e6)
		if m.total > 0 {
			text = fmt.Sprintf("downloading %s: %.1f of %.1f MB", m.title, float64(m.done)/1e6, float64(m.total)/1e6)
		}
		m.log(text)
	}
	return len(p), nil
}

// Resolve returns the version of a package that a range means. One that the range names itself is not
// looked for: Fetch finds out whether it is there.
func (c *Client) Resolve(ctx context.Context, from Sources, id string, r Range) (Version, error) {
	if v, ok := r.Exact(); ok {
		return v, nil
	}
	all, err := c.Versions(ctx, from, id)
	if err != nil {
		return Version{}, err
	}
	if v, ok := r.Best(all); ok {
		return v, nil
	}
	if r.String() == "" {
		newest, _ := Newest(true).Best(all)
		return Version{}, failure("request one with --prerelease, or as "+id+"@"+newest.String(), "%s has only prereleases", id)
	}
	return Version{}, c.noVersion(id, r.String(), all, from.For(id))
}

func (c *Client) noVersion(id, version string, all []Version, sources []Source) error {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b Version) int { return b.Compare(a) })
	var there []string
	for _, v := range sorted[:min(4, len(sorted))] {
		there = append(there, v.String())
	}
	if len(sorted) > len(there) {
		there = append(there, "older ones")
	}
	hint := ""
	if len(there) > 0 {
		hint = "the newest are " + strings.Join(there, ", ")
	}
	return because(ErrAbsent, hint, "%s has no version %s of %s", names(sources), version, id)
}

// Versions returns the versions of a package that are listed, of all sources together. A package that no
// source has is an error.
func (c *Client) Versions(ctx context.Context, from Sources, id string) ([]Version, error) {
	sources := from.For(id)
	if len(sources) == 0 {
		return nil, noSource(id)
	}
	var all []Version
	found := false
	for _, s := range sources {
		list, err := c.versions(ctx, s, id)
		switch {
		case errors.Is(err, ErrAbsent):
			continue
		case err != nil && from.IgnoreFailed && ctx.Err() == nil:
			continue
		case err != nil:
			return nil, err
		}
		for _, l := range list {
			found = true
			if !l.Unlisted {
				all = append(all, l.version)
			}
		}
	}
	switch {
	case found || len(all) > 0:
		return all, nil
	case c.Offline:
		return nil, offline(id)
	}
	return nil, because(ErrAbsent, "check its spelling; name your own feed with --source or in NuGet.Config", "%s has no package %s", names(sources), id)
}

func noSource(id string) error {
	return failure("add a pattern for it to packageSourceMapping in NuGet.Config", "%s is not mapped to any package source", id)
}

func offline(what string) error {
	return failure("pack once without --offline", "%s was never downloaded, and --offline prevents downloads", what)
}

// A File is a package in the cache.
type File struct {
	Path   string
	Digest Digest
}

// Fetch returns a package: from the cache, or downloaded into it. With a digest it must have those
// contents, independent of its source.
func (c *Client) Fetch(ctx context.Context, from Sources, id string, v Version, want Digest) (File, error) {
	title := id + " " + v.String()
	if want != "" {
		if path, ok := c.Cache.file(want); ok {
			return File{path, want}, nil
		}
	}
	sources := from.For(id)
	if len(sources) == 0 {
		return File{}, noSource(id)
	}
	var failed error
	for _, s := range sources {
		file, err := c.fetchFrom(ctx, s, id, v, title, want)
		switch {
		case err == nil:
			return file, nil
		case errors.Is(err, ErrAbsent):
		case from.IgnoreFailed && ctx.Err() == nil:
			failed = err
		default:
			return File{}, err
		}
	}
	switch {
	case failed != nil:
		return File{}, failed
	case c.Offline:
		return File{}, offline(title)
	}
	all, err := c.Versions(ctx, from, id)
	if err != nil {
		return File{}, err
	}
	return File{}, c.noVersion(id, v.String(), all, sources)
}

func (c *Client) fetchFrom(ctx context.Context, s Source, id string, v Version, title string, want Digest) (File, error) {
	if s.Dir != "" {
		return c.fromFolder(s, id, v, title, want)
	}
	if want == "" {
		if known, ok := c.Cache.known(s, id, v); ok {
			if path, ok := c.Cache.file(known); ok {
				return File{path, known}, nil
			}
		}
	}
	if c.Offline {
		return File{}, ErrAbsent
	}
	address, err := c.address(ctx, s, id, v)
	if err != nil {
		return File{}, err
	}
	if c.Log != nil {
		c.Log("downloading " + title)
	}
	path, got, err := c.download(ctx, s, address, title, want)
	if err != nil {
		return File{}, err
	}
	return File{path, got}, c.Cache.note(s, id, v, got)
}
