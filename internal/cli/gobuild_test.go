package cli

import (
	"debug/buildinfo"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/doctor"
)

// What dev builds has its page and keeps the user's tags; what is deployed does not have it, and what
// dev left behind is found before it is published.
func TestOnlyBuildsOfDevHaveItsPage(t *testing.T) {
	t.Parallel()
	env, dir, _, stderr := stubProject(t)
	env.Environ = append(env.Environ, "GOOS=linux", "GOARCH=amd64", "GOFLAGS=-mod=mod -tags=mine,other")
	tags := func() string {
		info, err := buildinfo.ReadFile(filepath.Join(dir, "handler"))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range info.Settings {
			if s.Key == "-tags" {
				return s.Value
			}
		}
		return ""
	}
	found := func() doctor.Finding {
		p, err := openProject(env, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range p.Deployment(t.Context()) {
			if f.Name == "handler" {
				return f
			}
		}
		t.Fatal("nothing is found of the handler")
		return doctor.Finding{}
	}

	if _, err := prepare(t.Context(), env, dir); err != nil {
		t.Fatal(err, stderr)
	}
	if got := tags(); got != "mine,other,nethttpomithttp2,mcpfunc_devpage" {
		t.Errorf("dev builds with the tags %q", got)
	}
	if f := found(); f.Status != doctor.Warn || !strings.Contains(f.Detail, "mcpfunc dev") {
		t.Errorf("of the handler of dev is found: %+v", f)
	}
	if code := run(t.Context(), []string{"build", dir}, env); code != 0 {
		t.Fatal(stderr)
	}
	if got := tags(); got != "mine,other,nethttpomithttp2" {
		t.Errorf("build builds with the tags %q", got)
	}
	if f := found(); f.Status != doctor.OK {
		t.Errorf("of the handler of build is found: %+v", f)
	}
}
