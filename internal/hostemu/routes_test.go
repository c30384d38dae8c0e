package hostemu

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// A routeSet is a set of functions and what the host's own router did with requests to them.
type routeSet struct {
	Why       string
	Prefix    string
	Refused   bool // the router took none of the set
	Functions []struct {
		Name    string
		Route   *string
		Methods *[]string
	}
	Requests []struct {
		Method, Path string
		Status       int
		Function     string
		Values       map[string]string // percent-encoded
		Target       string            // where it is not the path
	}
}

func TestRoutesAreThoseOfTheHostsOwnRouter(t *testing.T) {
	t.Parallel()
	for name, required := range map[string]bool{"testdata/routes.json": true, "../../../shared/inputs/host/routes.json": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) && !required {
				t.Skipf("%s is not here", name)
			}
			if err != nil {
				t.Fatal(err)
			}
			var sets []routeSet
			if err := json.Unmarshal(data, &sets); err != nil {
				t.Fatal(err)
			}
			asked := 0
			for _, set := range sets {
				asked += set.check(t)
			}
			t.Logf("%d sets, %d requests", len(sets), asked)
		})
	}
}

// check loads the set as a project and asks it for every request.
func (set routeSet) check(t *testing.T) int {
	t.Helper()
	files := map[string]string{"host.json": hostJSONWith(set.Prefix, `,"enableProxyingHttpRequest":true`)}
	for _, f := range set.Functions {
		trigger := map[string]any{"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous"}
		if f.Route != nil {
			trigger["route"] = *f.Route
		}
		if f.Methods != nil {
			trigger["methods"] = *f.Methods
		}
		text, err := json.Marshal(map[string]any{"bindings": []any{trigger, map[string]string{"type": "http", "direction": "out", "name": "res"}}})
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name+"/function.json"] = string(text)
	}
	what := set.Why
	for _, f := range set.Functions {
		what += " " + f.Name
		if f.Route != nil {
			what += ":" + *f.Route
		}
	}
	app, err := Load(project(t, files), nil)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return 0
	}
	if set.Refused != (app.Fault != nil) {
		t.Errorf("%s: the host's fault is %v, want one: %v", what, app.Fault, set.Refused)
	}
	if set.Refused {
		return len(set.Requests) // the host answers 503 to all of them
	}
	for _, r := range set.Requests {
		path, query, hasQuery := strings.Cut(r.Path, "?")
		decoded, ok := decodePath(path)
		if !ok {
			t.Errorf("%s: %s cannot be decoded", what, r.Path)
			continue
		}
		f, values, found := app.match(r.Method, decoded)
		if f.Name != r.Function || found != (r.Function != "") {
			t.Errorf("%s: %s %s is answered by %q, want %q", what, r.Method, r.Path, f.Name, r.Function)
			continue
		}
		if home := !found && decoded == "/"; home != (r.Status == 200 && !found) {
			t.Errorf("%s: %s %s: home page %v, status wanted %d", what, r.Method, r.Path, home, r.Status)
		}
		if !found {
			continue
		}
		for name, value := range values {
			values[name] = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
		}
		if diff := gocmp.Diff(r.Values, values); diff != "" && len(r.Values)+len(values) > 0 {
			t.Errorf("%s: %s %s: %s", what, r.Method, r.Path, diff)
		}
		if got, want := encodeTarget(decoded, query, hasQuery), cmp.Or(r.Target, r.Path); got != want {
			t.Errorf("%s: %s reaches the handler as %s, want %s", what, r.Path, got, want)
		}
	}
	return len(set.Requests)
}
