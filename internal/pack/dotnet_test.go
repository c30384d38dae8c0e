package pack

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/nugettest"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

const (
	core = "Microsoft.NETCore.App"
	web  = "Microsoft.AspNetCore.App"
)

// A dotnetProject is one with servers from a feed.
type dotnetProject struct {
	dir  string
	feed *nugettest.Feed
	opts Options
	said []string
}

// project has servers by name, each the words of dnx; FEED stands for the address of the feed.
func project(t *testing.T, feed *nugettest.Feed, servers map[string]string) *dotnetProject {
	t.Helper()
	p := &dotnetProject{dir: t.TempDir(), feed: feed}
	home := t.TempDir()
	p.opts = Options{
		Dir: p.dir, Settings: Settings{Python: "3.12"}, Env: []string{"HOME=" + home, "PAT=s3cret"},
		Log: func(server, text string) { p.said = append(p.said, server+": "+text) },
	}
	config := filepath.Join(home, ".nuget", "NuGet", "NuGet.Config")
	if err := os.MkdirAll(filepath.Dir(config), 0o755); err != nil {
		t.Fatal(err)
	}
	text := `<configuration><packageSources><clear/><add key="local" value="` + feed.URL + `"/></packageSources></configuration>`
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, words := range servers {
		p.opts.Servers = append(p.opts.Servers, Server{Name: name, Command: line("dnx " + strings.ReplaceAll(words, "FEED", feed.URL))})
	}
	slices.SortFunc(p.opts.Servers, func(a, b Server) int { return strings.Compare(a.Name, b.Name) })
	return p
}

func (p *dotnetProject) pack(t *testing.T) *Report {
	t.Helper()
	report, err := Pack(t.Context(), &p.opts)
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(p.said, "\n"))
	}
	return report
}

// contents returns the files of the project.
func (p *dotnetProject) contents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(p.dir, path)
		all[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (p *dotnetProject) file(t *testing.T) *packmanifest.File {
	t.Helper()
	f, err := packmanifest.Load(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// feed is one with these versions of .NET.
func feed(t *testing.T, runtimes []string, tools ...[]byte) *nugettest.Feed {
	t.Helper()
	f := nugettest.New(t, tools...)
	for _, v := range runtimes {
		for _, p := range append(nugettest.Runtime(t, v, "amd64"), nugettest.Runtime(t, v, "arm64")...) {
			f.Add(t, p)
		}
	}
	return f
}

func TestDotnetServersShareARuntime(t *testing.T) {
	t.Parallel()
	f := feed(t, []string{"8.0.1", "8.0.20", "9.0.3", "10.0.0-rc.1", "10.0.2", "10.0.12", "11.0.0"},
		nugettest.Tool(t, "Ten", "1.0.0", "net10.0", "", core+"@10.0.0"),
		nugettest.Tool(t, "Any", "1.0.0", "net8.0", "Major", core+"@8.0.0"),
		nugettest.Tool(t, "Web", "1.0.0", "net10.0", "", web+"@10.0.0"),
	)
	p := project(t, f, map[string]string{"ten": "Ten@1.0.0 --yes", "any": "Any --yes", "web": "Web@1.* --source FEED -- --yes", "rolled": "Any@1.0.0 --allow-roll-forward x --yes y"})
	report := p.pack(t)
	if diff := cmp.Diff(&RuntimeReport{Versions: []string{"10.0.12 with ASP.NET"}, Servers: []string{"any", "rolled", "ten", "web"}, Files: 5, Bytes: report.Dotnet.Bytes}, report.Dotnet); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	var below []string
	files := p.contents(t)
	for name := range files {
		if rest, ok := strings.CutPrefix(name, "packed/"); ok {
			below = append(below, rest)
		}
	}
	slices.Sort(below)
	want := []string{
		"_bin/any/x", "_bin/rolled/x", "_bin/ten/x", "_bin/web/x",
		"_dotnet/host/fxr/10.0.12/libhostfxr.so",
		"_dotnet/shared/Microsoft.AspNetCore.App/10.0.12/Microsoft.AspNetCore.App.runtimeconfig.json", "_dotnet/shared/Microsoft.AspNetCore.App/10.0.12/Microsoft.AspNetCore.dll",
		"_dotnet/shared/Microsoft.NETCore.App/10.0.12/System.Runtime.dll", "_dotnet/shared/Microsoft.NETCore.App/10.0.12/libcoreclr.so",
		"any/x.deps.json", "any/x.dll", "any/x.runtimeconfig.json", "mcp_packed.json", "mcp_tools.json", "rolled/x.deps.json", "rolled/x.dll", "rolled/x.runtimeconfig.json",
		"ten/x.deps.json", "ten/x.dll", "ten/x.runtimeconfig.json", "web/x.deps.json", "web/x.dll", "web/x.runtimeconfig.json",
	}
	if diff := cmp.Diff(want, below); diff != "" {
		t.Errorf("packed (-want +got):\n%s", diff)
	}
	if !strings.Contains(files["packed/_bin/ten/x"], "x.dll\x00") {
		t.Error("the program does not name its assembly")
	}
	servers := p.file(t).Servers
	for name, want := range map[string]packmanifest.Start{
		"ten":    {Program: "ten", Replaces: 2, Dotnet: &packmanifest.Dotnet{Shared: true}},
		"web":    {Program: "web", Replaces: 4, Dotnet: &packmanifest.Dotnet{Shared: true}},
		"rolled": {Program: "rolled", Replaces: 2, Skips: []int{3}, Dotnet: &packmanifest.Dotnet{Shared: true, RollForward: true}},
	} {
		if diff := cmp.Diff(want, servers[name].Start); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := p.file(t).Programs["ten"].Beside; got != "packed/ten" {
		t.Errorf("the program looks for its assembly in %q", got)
	}
	for _, purl := range []string{"pkg:nuget/Ten@1.0.0", "pkg:nuget/Some.Library@3.1.0", "pkg:nuget/Microsoft.NETCore.App.Runtime.linux-x64@10.0.12", "pkg:nuget/Microsoft.NETCore.App.Host.linux-x64@10.0.12", `"SHA-512"`} {
		if !strings.Contains(files["sbom.cdx.json"], purl) {
			t.Errorf("the SBOM does not list %s", purl)
		}
	}
	for name, text := range files {
		if strings.HasPrefix(name, "mcp_lock/") && strings.Contains(text, "://") {
			t.Errorf("%s holds an address: %s", name, text)
		}
	}

	// The same lock gives the same bytes, without a network, also on another machine that has the packages.
	f.Asked()
	p.opts.Offline = true
	p.pack(t)
	if diff := cmp.Diff(files, p.contents(t)); diff != "" {
		t.Errorf("packing again (-first +second):\n%s", diff)
	}
	if asked := f.Asked(); len(asked) > 0 {
		t.Errorf("offline it asked for %q", asked)
	}
	if err := os.RemoveAll(filepath.Join(p.dir, "mcp_lock")); err != nil {
		t.Fatal(err)
	}
	p.pack(t)
	if diff := cmp.Diff(files, p.contents(t)); diff != "" {
		t.Errorf("resolving again from what was downloaded (-first +second):\n%s", diff)
	}

	// What is locked stays until it is resolved again.
	p.opts.Offline = false
	for _, n := range nugettest.Runtime(t, "10.0.13", "amd64") {
		f.Add(t, n)
	}
	if got := p.pack(t).Dotnet.Versions[0]; got != "10.0.12 with ASP.NET" {
		t.Errorf("a newer runtime came in: %s", got)
	}
	p.opts.Upgrade = func(string) bool { return true }
	if got := p.pack(t).Dotnet.Versions[0]; got != "10.0.13 with ASP.NET" {
		t.Errorf("the upgrade took %s", got)
	}
	p.opts.Upgrade = nil

	check := func() []string {
		t.Helper()
		found, err := Check(&p.opts)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := check(); len(found) > 0 {
		t.Errorf("right after packing: %q", found)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "packed", "_dotnet", "shared", core, "10.0.13", "libcoreclr.so"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if found := check(); !slices.Contains(found, "packed/_dotnet has changed since it was packed") {
		t.Errorf("after the runtime was changed: %q", found)
	}
}

func TestDotnetServersHaveWhatTheyNameWhereTheyMust(t *testing.T) {
	t.Parallel()
	f := feed(t, []string{"8.0.1", "8.0.20", "9.0.3", "10.0.12"},
		nugettest.Tool(t, "Ten", "1.0.0", "net10.0", "", core+"@10.0.0"),
		nugettest.Tool(t, "Eight", "1.0.0", "net8.0", "", core+"@8.0.0"),
		nugettest.Tool(t, "Fixed", "1.0.0", "net8.0", "Disable", core+"@8.0.1"),
		nugettest.Tool(t, "Nine", "1.0.0", "net9.0", "Major", core+"@9.0.0"),
	)
	for words, want := range map[string]string{
		"Ten Eight":             "8.0.20 10.0.12",
		"Eight Fixed":           "8.0.1 8.0.20",
		"Nine":                  "9.0.3",
		"Nine Ten":              "10.0.12",
		"Nine Eight":            "8.0.20 9.0.3",
		"Ten Eight Fixed Nine ": "8.0.1 8.0.20 10.0.12",
	} {
		servers := map[string]string{}
		for id := range strings.FieldsSeq(words) {
			servers[strings.ToLower(id)] = id + "@1.0.0 --yes"
		}
		p := project(t, f, servers)
		if got := strings.Join(p.pack(t).Dotnet.Versions, " "); got != want {
			t.Errorf("%s: %s, want %s", words, got, want)
		}
		hosts, _ := filepath.Glob(filepath.Join(p.dir, "packed", "_dotnet", "host", "fxr", "*"))
		versions := strings.Fields(want)
		if len(hosts) != 1 || filepath.Base(hosts[0]) != versions[len(versions)-1] {
			t.Errorf("%s: what finds the runtime is of %q", words, hosts)
		}
	}
}

func TestDotnetProgramsBringAllThatTheyNeed(t *testing.T) {
	t.Parallel()
	pointer := func(id string, rids map[string]string) []byte {
		return nugettest.Nupkg(t, id, "1.2.0", []string{"DotnetTool"}, map[string]string{"tools/any/any/DotnetToolSettings.xml": nugettest.PointerSettings("x", rids)})
	}
	program := func(id, rid, goarch string, more map[string]string) []byte {
		dir := "tools/any/" + rid + "/"
		files := map[string]string{dir + "DotnetToolSettings.xml": nugettest.ProgramSettings("x", "x"), dir + "x": nugettest.Program(goarch, rid)}
		for name, text := range more {
			files[dir+name] = text
		}
		return nugettest.Nupkg(t, id, "1.2.0", []string{"DotnetToolRidPackage"}, files)
	}
	f := nugettest.New(t,
		pointer("One", map[string]string{"linux-x64": "One.linux-x64", "linux-arm64": "One.linux-arm64", "win-x64": "One.win-x64"}),
		program("One.linux-x64", "linux-x64", "amd64", nil), program("One.linux-arm64", "linux-arm64", "arm64", nil),
		pointer("Many", map[string]string{"any": "Many.any"}),
		program("Many.any", "any", "amd64", map[string]string{"libx.so": "lib", "data/x.json": "{}", "libicuuc.so.72": "icu"}),
	)
	p := project(t, f, map[string]string{"one": "One --yes --version 1.2.0", "many": "Many@[1.0,2.0) --yes"})
	report := p.pack(t)
	if report.Dotnet != nil {
		t.Errorf("a runtime came along: %+v", report.Dotnet)
	}
	files := p.contents(t)
	if files["packed/_bin/one/x"] != nugettest.Program("amd64", "linux-x64") || files["packed/many/libx.so"] != "lib" || files["packed/many/data/x.json"] != "{}" || files["packed/many/x"] != "" {
		t.Errorf("packed are %v", files)
	}
	programs := p.file(t).Programs
	if programs["one"].Beside != "" || programs["many"].Beside != "packed/many" {
		t.Errorf("programs %+v", programs)
	}
	if start := p.file(t).Servers["many"].Start; start.Dotnet == nil || start.Dotnet.Shared || !start.Dotnet.OwnICU {
		t.Errorf("start %+v", start.Dotnet)
	}

	p = project(t, f, map[string]string{"one": "One@1.2.0 --yes"})
	p.opts.Platform = "linux/arm64"
	p.pack(t)
	if got := p.contents(t)["packed/_bin/one/x"]; got != nugettest.Program("arm64", "linux-arm64") || p.file(t).Platform != "linux/arm64" {
		t.Errorf("for arm64: %q, %s", got, p.file(t).Platform)
	}
	p.opts.Platform = "" // remembered
	p.pack(t)
	if got := p.file(t).Platform; got != "linux/arm64" {
		t.Errorf("packed again it is for %s", got)
	}
	p = project(t, f, map[string]string{"many": "Many@1.2.0"})
	p.opts.Platform = "linux/arm64"
	if _, err := Pack(t.Context(), &p.opts); err == nil || !strings.Contains(err.Error(), "x is a program for EM_X86_64") {
		t.Errorf("a program of another architecture: %v", err)
	}
}

func TestDotnetErrorsAreOneSentenceAndLeaveAllAsItWas(t *testing.T) {
	t.Parallel()
	f := feed(t, []string{"10.0.12"},
		nugettest.Tool(t, "Ten", "1.0.0", "net10.0", "", core+"@10.0.0"),
		nugettest.Tool(t, "Nine", "1.0.0", "net9.0", "", core+"@9.0.0"),
		nugettest.Tool(t, "Eleven", "1.0.0", "net11.0", "", core+"@11.0.0"),
		nugettest.Tool(t, "Desk", "1.0.0", "net10.0", "", "Microsoft.WindowsDesktop.App@10.0.0"),
		nugettest.Nupkg(t, "Lib", "1.0.0", nil, map[string]string{"lib/net8.0/Lib.dll": "x"}),
		nugettest.Nupkg(t, "Win", "1.0.0", []string{"DotnetTool"}, map[string]string{"tools/any/any/DotnetToolSettings.xml": nugettest.PointerSettings("x", map[string]string{"win-x64": "Win.win-x64"})}),
		nugettest.Nupkg(t, "Text", "1.0.0", []string{"DotnetTool"}, map[string]string{"tools/any/linux-x64/DotnetToolSettings.xml": nugettest.ProgramSettings("x", "x"), "tools/any/linux-x64/x": "#!/bin/sh\n"}),
		nugettest.Nupkg(t, "Bad", "1.0.0", []string{"DotnetTool"}, map[string]string{"../x": "y"}),
		nugettest.Nupkg(t, "Loop", "1.0.0", []string{"DotnetTool"}, map[string]string{"tools/any/any/DotnetToolSettings.xml": nugettest.PointerSettings("x", map[string]string{"any": "Loop"})}),
	)
	f.Break = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "closed") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	for words, want := range map[string][2]string{
		"Lib --yes":       {"Lib 1.0.0 is not a .NET tool but a library", "dnx can run only tools"},
		"Win@1.0.0 --yes": {"Win 1.0.0 has no program for linux-x64, only for win-x64", "ask its publisher"},
		"Nine --yes":      {"Nine 1.0.0 needs .NET 9.0, but no source has a package of that runtime", "--allow-roll-forward to run it on a newer one, such as 10.0.12"},
		"Eleven --yes":    {"Eleven 1.0.0 needs .NET 11.0, but no source has", "--add-source"},
		"Desk":            {"needs the framework Microsoft.WindowsDesktop.App, which Linux does not have", ""},
		"Ten@1.0.1 --yes": {"has no version 1.0.1 of Ten", "the newest are 1.0.0"},
		"Ten@2.* --yes":   {"has no version 2.* of Ten", "the newest are 1.0.0"},
		"Tenn":            {"has no package Tenn", "spelling"},
		"closed@1.0.0":    {"requires credentials (403)", "packageSourceCredentials"},
		"Text@1.0.0":      {"x is not a program for Linux", ""},
		"Bad@1.0.0":       {"the package Bad 1.0.0 has a file named", "publisher"},
		"Loop@1.0.0":      {"Loop points to Loop, which points to Loop", "publisher"},
		"Ten --source http://127.0.0.1:1/index.json":             {"cannot reach 127.0.0.1:1", "--offline"},
		"Ten --source https://x:${NONE}@feed.example/index.json": {"the variable NONE of a package source does not have a value", "local.settings.json"},
	} {
		p := project(t, f, map[string]string{"ok": "Ten@1.0.0 --yes"})
		p.pack(t)
		before := p.contents(t)
		p.opts.Servers = append(p.opts.Servers, Server{Name: "bad", Command: line("dnx " + words)})
		_, err := Pack(t.Context(), &p.opts)
		var hint string
		if r := (*RecipeError)(nil); errors.As(err, &r) {
			hint = r.Hint
		} else if n := (*nuget.Error)(nil); errors.As(err, &n) {
			hint = n.Hint
		}
		if err == nil || !strings.HasPrefix(err.Error(), `server "bad": `) || !strings.Contains(err.Error(), want[0]) || !strings.Contains(hint, want[1]) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, hint %q, want %q", words, err, hint, want)
		}
		if diff := cmp.Diff(before, p.contents(t)); diff != "" {
			t.Errorf("%s: half of it is written:\n%s", words, diff)
		}
	}
}

func TestDotnetLockIsHeldToItsHashes(t *testing.T) {
	t.Parallel()
	f := feed(t, []string{"10.0.12"}, nugettest.Tool(t, "Ten", "1.0.0", "net10.0", "", core+"@10.0.0"))
	p := project(t, f, map[string]string{"ten": "Ten@1.0.0 --yes"})
	p.pack(t)
	before := p.contents(t)
	f.Add(t, nugettest.Nupkg(t, "Ten", "1.0.0", []string{"DotnetTool"}, map[string]string{"tools/net10.0/any/x": "somebody else's"}))
	fresh := t.TempDir()
	p.opts.Env = append(p.opts.Env, "XDG_CACHE_HOME="+fresh) // another machine
	_, err := Pack(t.Context(), &p.opts)
	if err == nil || !strings.Contains(err.Error(), "has the SHA-512") {
		t.Errorf("a package that was changed: %v", err)
	}
	if diff := cmp.Diff(before, p.contents(t)); diff != "" {
		t.Errorf("half of it is written:\n%s", diff)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Pack(ctx, &p.opts); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// What opens a feed is in no file of the project, nor is the feed's address.
func TestDotnetSecretsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	f := feed(t, []string{"10.0.12"}, nugettest.Tool(t, "Ten", "1.0.0", "net10.0", "", core+"@10.0.0"))
	f.User, f.Password = "me", "s3cret"
	p := project(t, f, map[string]string{"ten": "Ten@1.0.0 --yes --source http://me:${PAT}@" + strings.TrimPrefix(f.URL, "http://")})
	p.pack(t)
	for name, text := range p.contents(t) {
		if strings.Contains(text, "s3cret") || name != "packed/mcp_packed.json" && strings.Contains(text, f.URL[len("http://"):]) {
			t.Errorf("%s tells where the feed is, or what opens it", name)
		}
	}
	if said := strings.Join(p.said, "\n"); strings.Contains(said, "s3cret") {
		t.Errorf("the log tells it: %s", said)
	}
}

func TestLocalToolsComeFromTheProjectsManifest(t *testing.T) {
	t.Parallel()
	f := feed(t, []string{"10.0.12"}, nugettest.Tool(t, "Ten", "1.0.0", "net10.0", "", core+"@10.0.0"), nugettest.Tool(t, "Ten", "2.0.0", "net10.0", "", core+"@10.0.0"))
	p := project(t, f, map[string]string{"newest": "Ten --yes"})
	p.opts.Servers = append(p.opts.Servers, Server{Name: "local", Command: line("dotnet tool run ten -- a b")})
	manifest := filepath.Join(p.dir, ".config", "dotnet-tools.json")
	if err := os.MkdirAll(filepath.Dir(manifest), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, []byte(`{"version": 1, "isRoot": true, "tools": {"ten": {"version": "1.0.0", "commands": ["ten"]}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	p.pack(t)
	files := p.contents(t)
	if files["packed/local/x.dll"] != "1.0.0" || files["packed/newest/x.dll"] != "1.0.0" {
		t.Errorf("packed are %q and %q", files["packed/local/x.dll"], files["packed/newest/x.dll"])
	}
	if start := p.file(t).Servers["local"].Start; start.Replaces != 4 {
		t.Errorf("start %+v", start)
	}
	if found, err := Check(&p.opts); err != nil || len(found) > 0 {
		t.Errorf("%q, %v", found, err)
	}
	if err := os.WriteFile(manifest, []byte(`{"tools": {"ten": {"version": "2.0.0", "commands": ["ten"]}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if found, err := Check(&p.opts); err != nil || !slices.Contains(found, `server "local": its lock is for a different command`) {
		t.Errorf("after the manifest was changed: %q, %v", found, err)
	}
}
