package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/doctor"
	"github.com/mcpfunc/mcpfunc/internal/importer"
)

// importFrom reads the servers of a file, or of what is at a URL: all, or the only one named.
func importFrom(ctx context.Context, env *Env, path string, opts importer.Options) (*importer.Result, error) {
	var data []byte
	var err error
	if isURL(path) {
		data, err = fetch(ctx, env, path)
		path = withoutQuery(path)
	} else {
		data, err = readUpTo(path, importer.MaxSize+1)
		opts.Near = os.DirFS(filepath.Dir(path))
	}
	if err != nil {
		return nil, err
	}
	if opts.Dir, err = os.Getwd(); err != nil {
		return nil, err
	}
	return importer.Read(path, data, opts)
}

// isURL reports whether what a person named is on the web.
func isURL(path string) bool {
	return strings.HasPrefix(path, "https://") || strings.HasPrefix(path, "http://")
}

// withoutQuery is a URL as it may be shown: what follows "?" may be a secret.
func withoutQuery(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "URL"
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	return u.String()
}

// fetchPatience bounds how long a file may take to come.
const fetchPatience = time.Minute

// fetch gets a configuration or a bundle by HTTPS; by HTTP only from this machine, as anybody between
// could put a command of theirs into it.
func fetch(ctx context.Context, env *Env, address string) ([]byte, error) {
	shown := withoutQuery(address)
	if err := fetchable(address); err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: is not a URL", shown)
	}
	env.debug("GET %s", shown)
	client := &http.Client{CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) >= 5 {
			return errors.New("is redirected more than five times")
		}
		return fetchable(req.URL.String())
	}}
	resp, err := client.Do(req)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // it repeats the URL, query and all
		}
		return nil, fmt.Errorf("%s: cannot be fetched: %w", shown, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: cannot be fetched: the answer is %s", shown, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, importer.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be fetched: %w", shown, err)
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
		return nil, withHint(fmt.Errorf("%s: is a web page, not a configuration", shown), "name the raw file")
	}
	return data, nil
}

// fetchable says why nothing is fetched from a URL.
func fetchable(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("is not a URL")
	}
	local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
	if u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return errors.New("is not https: what comes may hold commands that will be run")
	}
	return nil
}

// tell says what was left out, also where --quiet silences notes, and what was changed.
func tell(env *Env, leftOut, changed []importer.Note) {
	style := styleFor(env, env.Stderr)
	for _, n := range leftOut {
		env.complain("%s skipped: %s", style.bold("warning:"), oneLine(n.String()))
		if n.Hint != "" {
			env.note("%s %s", style.cyan("hint:"), oneLine(n.Hint))
		}
	}
	for _, n := range changed {
		env.note("changed: %s", oneLine(n.String()))
		if n.Hint != "" {
			env.note("%s %s", style.cyan("hint:"), oneLine(n.Hint))
		}
	}
}

// tellNone says what was left out of a file of which nothing is left.
func tellNone(env *Env, err error) {
	if none := (*importer.NoneError)(nil); errors.As(err, &none) {
		tell(env, none.LeftOut, nil)
	}
}

// parseAs reads --as: NAME, or OLD=NAME where the file holds several servers.
func parseAs(list []string) (map[string]string, error) {
	as := map[string]string{}
	for _, word := range list {
		was, name := "", word
		if i := strings.LastIndexByte(word, '='); i >= 0 {
			was, name = word[:i], word[i+1:]
		}
		if err := config.CheckName(name); err != nil {
			return nil, misusef("--as %q: %s", word, errors.Unwrap(err))
		}
		as[was] = name
	}
	if _, alone := as[""]; alone && len(as) > 1 {
		return nil, misusef("--as NAME is for one server; write OLD=NAME for each of several")
	}
	return as, nil
}

// warnOfPaths says which files servers name that the project in dir does not have: doctor and publish
// fail for them. origin is the file that the servers come from.
func warnOfPaths(env *Env, file *config.File, dir, origin string) {
	style := styleFor(env, env.Stderr)
	if isURL(origin) {
		origin = ""
	}
	for _, f := range doctor.Paths(file, dir, origin) {
		env.complain("%s %s", style.bold("warning:"), oneLine(f.Detail))
		env.note("%s %s", style.cyan("hint:"), oneLine(f.Hint))
	}
}

// An importReport is what --json says of an import.
type importReport struct {
	Format  string          `json:"format,omitempty"`
	LeftOut []importer.Note `json:"left_out,omitempty"`
	Changed []importer.Note `json:"changed,omitempty"`
}

// reportOf reports on an import; on none where servers were described.
func reportOf(r *importer.Result) importReport {
	if r == nil {
		return importReport{}
	}
	return importReport{r.Format, r.LeftOut, r.Changed}
}
