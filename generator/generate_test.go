package generator

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// changed returns the changes that are any, path to action.
func changed(t *testing.T, p *Plan, dir string) map[string]Action {
	t.Helper()
	told, err := p.Changes(dir, Generate, false)
	if err != nil {
		t.Fatal(err)
	}
	did, err := p.Write(dir, Generate, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(told, did); diff != "" {
		t.Errorf("Changes and Write differ (-told +did):\n%s", diff)
	}
	m := actions(did)
	for path, a := range m {
		if a == Unchanged || a == Keep {
			delete(m, path)
		}
	}
	return m
}

func TestGenerateFollowsTheConfigurationAndLeavesWhatIsYours(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, plan(t, withServers("git", "time")), dir, Init)
	yours := map[string]string{
		"main.go": "mine", "README.md": "mine", "mcp_config.json": "mine", "local.settings.json": "mine",
		".funcignore": "mine", ".gitignore": "mine", "go.sum": "mine", "extra/function.json": "mine",
	}
	put(t, dir, yours)
	put(t, dir, map[string]string{"host.json": "edited"})

	got := changed(t, plan(t, withServers("time", "web")), dir)
	want := map[string]Action{
		"host.json": Update, "mcp-web/function.json": Create, "mcp-git/function.json": Remove,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	after := tree(t, dir)
	for path, text := range yours {
		if after[path] != text {
			t.Errorf("%s is %q, want it left alone", path, after[path])
		}
	}
	if _, there := after["mcp-git"]; there {
		t.Error("the folder of the removed server is still there")
	}
	if got := changed(t, plan(t, withServers("time", "web")), dir); len(got) != 0 {
		t.Errorf("the second time: %v, want no change", got)
	}
}

func TestGenerateFollowsTheAuthMethod(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := withServers("git")
	p.Config.Servers[0].Auth.Method = config.AuthOAuth2Bearer
	write(t, plan(t, p), dir, Init)

	loaded, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	loaded.Config, loaded.Runtime = withServers("git").Config, stubRuntime()
	want := map[string]Action{
		"mcp/function.json": Update, "sse/function.json": Update, "message/function.json": Update,
		"mcp-git/function.json": Update, "landing/function.json": Update, "well-known/function.json": Remove,
	}
	if diff := cmp.Diff(want, changed(t, plan(t, loaded), dir)); diff != "" {
		t.Errorf("a server whose tokens were switched off needs keys again (-want +got):\n%s", diff)
	}
}

func TestOnlyWhatIsRecognisablyOursIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, plan(t, withServers("a", "b", "c", "d")), dir, Init)
	put(t, dir, map[string]string{
		"mcp-b/function.json":  `{"bindings": []}`, // edited
		"mcp-c/notes.txt":      "mine",
		"mcp-e/function.json":  "never ours",
		"custom/function.json": tree(t, dir)["mcp-a/function.json"], // ours, under a name that is not
	})
	if err := os.Rename(filepath.Join(dir, "mcp-d"), filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("elsewhere", filepath.Join(dir, "mcp-d")); err != nil {
		t.Fatal(err)
	}
	made := plan(t, withServers("z"))
	if err := made.Stale(dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mcp-a/function.json", "mcp-c/function.json"}, made.Prune); diff != "" {
		t.Errorf("stale (-want +got):\n%s", diff)
	}
	write(t, made, dir, Generate)
	after := tree(t, dir)
	for _, path := range []string{"mcp-b/function.json", "mcp-c/notes.txt", "mcp-e/function.json", "custom/function.json", "elsewhere/function.json"} {
		if _, there := after[path]; !there {
			t.Errorf("%s is gone", path)
		}
	}
}

func TestTheCarriedRuntimeIsReplacedUnlessItWasEdited(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := withServers("git")
	write(t, plan(t, old), dir, Init)

	fresh := withServers("git")
	src := stubRuntime()
	src["runtime/app.go"].Data = []byte("package mcpfunc // newer\n")
	src["runtime/new.go"] = src["runtime/app.go"]
	delete(src, "internal/config/config.go")
	fresh.Runtime = src
	put(t, dir, map[string]string{carriedDir + "/runtime/mine.go": "package mcpfunc // mine\n"})
	want := map[string]Action{
		carriedDir + "/runtime/app.go":            Update,
		carriedDir + "/runtime/new.go":            Create,
		carriedDir + "/internal/config/config.go": Remove,
		sumsPath: Update,
	}
	if diff := cmp.Diff(want, changed(t, plan(t, fresh), dir)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if tree(t, dir)[carriedDir+"/runtime/mine.go"] == "" {
		t.Error("a file that was never ours is gone")
	}

	put(t, dir, map[string]string{carriedDir + "/runtime/new.go": "package mcpfunc // patched\n"})
	back := plan(t, old)
	_, err := back.Write(dir, Generate, false)
	if err != nil {
		t.Fatal(err) // the patched file is not planned, so nobody asks for it
	}
	if tree(t, dir)[carriedDir+"/runtime/new.go"] == "" {
		t.Error("an edited file that is no longer planned is gone")
	}

	put(t, dir, map[string]string{carriedDir + "/runtime/app.go": "package mcpfunc // patched\n"})
	_, err = plan(t, fresh).Write(dir, Generate, false)
	edited := carriedDir + "/runtime/app.go was edited"
	if got := conflicts(t, err); len(got) == 0 || got[0].Why != edited {
		t.Errorf("conflicts are %v, want %s", got, edited)
	}
	if _, err := plan(t, fresh).Write(dir, Generate, true); err != nil {
		t.Errorf("with force: %v", err)
	}
}

func TestGenerateWantsAProject(t *testing.T) {
	t.Parallel()
	foreign := t.TempDir()
	put(t, foreign, map[string]string{"go.mod": "module x\n\ngo 1.26\n", "host.json": "theirs"})
	before := tree(t, foreign)
	for _, dir := range []string{foreign, t.TempDir(), filepath.Join(foreign, "missing")} {
		made := plan(t, withServers("git"))
		if _, err := made.Write(dir, Generate, true); !errors.Is(err, ErrNoProject) {
			t.Errorf("Write in %s: %v, want ErrNoProject", filepath.Base(dir), err)
		}
		if _, err := made.Changes(dir, Generate, false); !errors.Is(err, ErrNoProject) {
			t.Errorf("Changes in %s: %v, want ErrNoProject", filepath.Base(dir), err)
		}
		if _, err := Load(dir); !errors.Is(err, ErrNoProject) {
			t.Errorf("Load of %s: %v, want ErrNoProject", filepath.Base(dir), err)
		}
	}
	if diff := cmp.Diff(before, tree(t, foreign)); diff != "" {
		t.Error(diff)
	}
}

func TestLoadReturnsWhatTheProjectWasMadeWith(t *testing.T) {
	t.Parallel()
	for _, level := range []AuthLevel{"", LevelAnonymous, LevelFunction, LevelAdmin} {
		dir := t.TempDir()
		p := withServers("git")
		p.AuthLevel = level
		write(t, plan(t, p), dir, Init)
		got, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		want := Project{Module: "example.com/team/tools", Hosting: HostingCustom, AuthLevel: level}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("level %q (-want +got):\n%s", level, diff)
		}
	}
}
