package generator

import (
	"bytes"
	"go/format"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

func file(t testing.TB, p *Plan, path string) string {
	t.Helper()
	for _, f := range p.Files {
		if f.Path == path {
			return string(f.Data)
		}
	}
	t.Fatalf("plan has no %s", path)
	return ""
}

// eachStory runs a check on the plan of every golden story.
func eachStory(t *testing.T, check func(t *testing.T, story *txtar.Archive, p Project, made *Plan)) {
	t.Helper()
	for name, story := range stories(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := storyProject(t, story)
			check(t, story, p, plan(t, p))
		})
	}
}

func TestConfigIsCarriedByteForByte(t *testing.T) {
	t.Parallel()
	eachStory(t, func(t *testing.T, story *txtar.Archive, _ Project, made *Plan) {
		if diff := cmp.Diff(section(story, "mcp_config.json")[""], file(t, made, "mcp_config.json")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestMainIsShortAndFormatted(t *testing.T) {
	t.Parallel()
	eachStory(t, func(t *testing.T, _ *txtar.Archive, _ Project, made *Plan) {
		src := []byte(file(t, made, "main.go"))
		if n := bytes.Count(src, []byte("\n")); n > 40 {
			t.Errorf("main.go has %d lines, want at most 40", n)
		}
		if formatted, err := format.Source(src); err != nil || !bytes.Equal(src, formatted) {
			t.Errorf("main.go is not gofmt-ed: %v", err)
		}
	})
}

// T64: the environment of the user who scaffolds stays out of the project. The configuration itself is
// carried as it was written, and no other file has any value of it.
func TestNoValueReachesAScaffold(t *testing.T) {
	const secret = "hunter2-from-the-environment"
	t.Setenv("GIT_TOKEN", secret)
	const written = "written-into-the-config"
	made := plan(t, project(t, `{"mcpServers": {"git": {"command": "git-server",
		"args": ["--token=${GIT_TOKEN}", "`+written+`"], "env": {"KEY": "`+written+`", "HOST": "${HOST:-`+written+`}"}}}}`))
	for _, f := range made.Files {
		if bytes.Contains(f.Data, []byte(secret)) {
			t.Errorf("%s holds a value of the environment", f.Path)
		}
		if f.Path != "mcp_config.json" && bytes.Contains(f.Data, []byte(written)) {
			t.Errorf("%s holds a value of mcp_config.json", f.Path)
		}
	}
	settings := file(t, made, "local.settings.json")
	if !strings.Contains(settings, `"GIT_TOKEN": ""`) || strings.Contains(settings, `"HOST"`) {
		t.Errorf("local.settings.json should ask for GIT_TOKEN alone:\n%s", settings)
	}
}

// One path must never have two functions: the host would pick one of two guards.
func TestRoutesDoNotOverlap(t *testing.T) {
	t.Parallel()
	p := withServers("a", "health", "mcp", "metrics", "api", "A-b", "con")
	p.Config.Servers[0].Auth.Method = config.AuthAzureOBO
	seen := map[string]string{}
	for _, f := range p.functions() {
		// The first parameter ends what has to differ; a whole server is below its name.
		fixed, _, _ := strings.Cut(f.Route, "{")
		fixed = strings.ToLower(strings.TrimSuffix(fixed, "/"))
		if other, taken := seen[fixed]; taken {
			t.Errorf("functions %s and %s share %q", other, f.Name, fixed)
		}
		seen[fixed] = f.Name
		if !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,126}$`).MatchString(f.Name) {
			t.Errorf("function name %q is not one that Functions takes", f.Name)
		}
		if f.Level == LevelAnonymous && strings.Contains(f.Route, "*") && !strings.HasPrefix(f.Route, ".well-known/") {
			t.Errorf("function %s is open and takes any path below %q", f.Name, fixed)
		}
	}
	for route, name := range seen {
		for other, otherName := range seen {
			// /api/mcp/NAME/{endpoint:alpha?} takes one segment below its own.
			if below, ok := strings.CutPrefix(other, route+"/"); ok && strings.HasPrefix(name, serverPrefix) && !strings.Contains(below, "/") {
				t.Errorf("function %s (%s) is below %s (%s)", otherName, other, name, route)
			}
		}
	}
}

func TestLevelFollowsWhoGuards(t *testing.T) {
	t.Parallel()
	server := func(name string, m config.AuthMethod) config.Server {
		return config.Server{Name: name, Command: "true", Enabled: true, Auth: config.Auth{Method: m}}
	}
	none, azure := server("none", config.AuthNone), server("azure", config.AuthAzureDefault)
	obo, bearer := server("obo", config.AuthAzureOBO), server("bearer", config.AuthOAuth2Bearer)
	for _, test := range []struct {
		name    string
		asked   AuthLevel
		servers []config.Server
		want    map[string]AuthLevel
	}{
		{"keys", "", []config.Server{none, azure}, map[string]AuthLevel{
			"mcp-none": "function", "mcp-azure": "function", "mcp": "function", "landing": "function", "metrics": "function", "health": "anonymous"}},
		{"tokens", "", []config.Server{obo, bearer}, map[string]AuthLevel{
			"mcp-obo": "anonymous", "mcp-bearer": "anonymous", "mcp": "anonymous", "landing": "anonymous",
			"metrics": "function", "well-known": "anonymous"}},
		{"tokens first", "", []config.Server{obo, none}, map[string]AuthLevel{
			"mcp-obo": "anonymous", "mcp-none": "function", "mcp": "anonymous", "sse": "anonymous", "landing": "function", "well-known": "anonymous"}},
		{"keys as well as tokens", LevelFunction, []config.Server{obo}, map[string]AuthLevel{
			"mcp-obo": "function", "mcp": "function", "landing": "function", "well-known": "anonymous"}},
		{"open was asked for", LevelAnonymous, []config.Server{none}, map[string]AuthLevel{
			"mcp-none": "anonymous", "landing": "anonymous", "metrics": "function", "session-metrics": "function"}},
		{"admin was asked for", LevelAdmin, []config.Server{none, obo}, map[string]AuthLevel{
			"mcp-none": "admin", "mcp-obo": "admin", "metrics": "admin", "health": "anonymous"}},
	} {
		p := Project{AuthLevel: test.asked, Config: &config.File{Servers: test.servers}}
		got := map[string]AuthLevel{}
		for _, f := range p.functions() {
			if _, asked := test.want[f.Name]; asked {
				got[f.Name] = f.Level
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestNothingIsAskedForMetadataWithoutTokens(t *testing.T) {
	t.Parallel()
	p := withServers("a")
	if slices.ContainsFunc(p.functions(), func(f function) bool { return f.Name == "well-known" }) {
		t.Error("an app without token-guarded servers has metadata to serve")
	}
}

// T61: names that would become a path, a route or a template of their own.
func TestHostileNamesAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", ".", "..", "../x", `..\x`, "a/b", `a\b`, "/etc", "C:", "a:b", "a.json", "..%2f", "a%2fb", "a b",
		"{*rest}", "a?", "*", "{{.Name}}", "a\x00", "a\n", "ä", "a\u0308", "\u202ea", "-a", "_a", "sse", "Message",
		strings.Repeat("a", 64),
	} {
		if _, err := withServers(name).Plan(); err == nil {
			t.Errorf("server name %q was taken", name)
		}
		if name == "-a" || name == "_a" || name == "sse" || name == "Message" || name == "a.json" {
			continue // fine for a project
		}
		p := withServers("a")
		p.Name = name
		if _, err := p.Plan(); err == nil && name != "" {
			t.Errorf("invalid project name %q was taken", name)
		}
		p = withServers("a")
		p.Name, p.Module = "fine", name
		if _, err := p.Plan(); err == nil && name != "" && name != "a/b" && name != strings.Repeat("a", 64) {
			t.Errorf("module path %q was taken", name)
		}
	}
}

func TestProjectsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*Project)
		want   string
	}{
		{"two cases of one name", func(p *Project) { *p = withServers("Git", "git") }, `plan: servers "Git" and "git": names differ only in case, which routes and function names ignore`},
		{"no server", func(p *Project) { p.Config = &config.File{} }, "plan: no servers configured: add or enable one"},
		{"default is off", func(p *Project) { p.Config.Runtime.DefaultServer = "b" }, `plan: default_server "b" is not an enabled server`},
		{"unknown level", func(p *Project) { p.AuthLevel = "public" }, `plan: invalid auth level "public": want "anonymous", "function" or "admin"`},
		{"unknown hosting", func(p *Project) { p.Hosting = "moon" }, `plan: invalid hosting "moon": want "custom" or "flex"`},
		{"an image for Flex Consumption", func(p *Project) { p.Hosting, p.Extras.Docker = HostingFlex, true }, `plan: hosting "flex" cannot have an image: Flex Consumption does not run containers, and other plans do not support its profile`},
		{"no name at all", func(p *Project) { p.Module = "" }, "plan: the project needs a name or a module path"},
		{"the runtime's module", func(p *Project) { p.Module = runtimeModule }, `plan: module path "github.com/mcpfunc/mcpfunc" is that of the runtime`},
	} {
		p := withServers("a")
		test.change(&p)
		_, err := p.Plan()
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: got error %v, want %s", test.name, err, test.want)
		}
	}
}

// Core Tools reads a line of .funcignore as a prefix that ends at a word's end; .gitignore rules,
// which azd follows, are narrower for lines such as ours. What the handler needs must pass, what it
// does not need must not.
func TestPackageHoldsWhatRunsAndNoMore(t *testing.T) {
	t.Parallel()
	made := plan(t, withServers("git", "handler", "third_party"))
	var patterns []string
	for line := range strings.Lines(file(t, made, ".funcignore")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			p := regexp.QuoteMeta(strings.TrimPrefix(line, "/"))
			patterns = append(patterns, strings.ReplaceAll(p, `\*`, `[^/]+`))
		}
	}
	ignored := regexp.MustCompile(`^(` + strings.Join(patterns, "|") + `)(\b|$)`)
	var published []string
	for _, path := range append([]string{"handler", ".python_packages/lib/third_party/x.py"}, paths(made)...) {
		if !ignored.MatchString(path) {
			published = append(published, path)
		}
	}
	want := []string{"handler", ".python_packages/lib/third_party/x.py",
		"health/function.json", "host.json", "landing/function.json",
		"mcp-git/function.json", "mcp-handler/function.json", "mcp-third_party/function.json", "mcp/function.json",
		"mcp_config.json", "message/function.json", "metrics/function.json", "session-metrics/function.json", "sse/function.json"}
	if diff := cmp.Diff(want, published); diff != "" {
		t.Errorf("package (-want +got):\n%s", diff)
	}
}

func paths(p *Plan) []string {
	var all []string
	for _, f := range p.Files {
		all = append(all, f.Path)
	}
	return all
}
