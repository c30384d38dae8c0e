package nuget

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// machine has files, by their path below a new folder, with HOME home and the project in home/src/app.
func machine(t *testing.T, files, env map[string]string) Machine {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Machine{Dir: filepath.Join(root, "home", "src", "app"), Home: filepath.Join(root, "home"), Lookup: func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}}
}

// shown lists sources as name=address, with the user and the password where there are some.
func shown(s []Source) []string {
	list := []string{}
	for _, source := range s {
		text := source.Name + "=" + source.URL + source.Dir
		if source.password != "" {
			text += " " + source.user + ":" + source.password
		}
		list = append(list, text)
	}
	return list
}

const userConfig = "\ufeff" + `<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <packageSources>
    <add key="nuget.org" value="https://api.nuget.org/v3/index.json" protocolVersion="3" />
    <add key="My Feed" value="https://feed.example/v3/index.json" />
    <add key="off" value="https://off.example/v3/index.json" />
  </packageSources>
  <disabledPackageSources><add key="OFF" value="true" /></disabledPackageSources>
  <packageSourceCredentials>
    <My_x0020_Feed><add key="Username" value="me" /><add key="ClearTextPassword" value="%FEED_PAT%" /></My_x0020_Feed>
  </packageSourceCredentials>
  <packageSourceMapping>
    <packageSource key="nuget.org"><package pattern="*" /></packageSource>
    <packageSource key="My Feed"><package pattern="Acme.*" /><package pattern="Exact.One" /></packageSource>
  </packageSourceMapping>
</configuration>`

func TestSourcesComeFromTheNearestConfiguration(t *testing.T) {
	t.Parallel()
	env := map[string]string{"FEED_PAT": "p/t", "PAT": "a/b", "NuGetPackageSourceCredentials_team": "Username=u;Password=p;ValidAuthenticationTypes=Basic",
		"VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": `{"endpointCredentials": [{"endpoint": "https://pkgs.example/v3/index.json", "password": "vss"}]}`}
	const user = "home/.nuget/NuGet/NuGet.Config"
	both := []string{"nuget.org=" + PublicIndex, "My Feed=https://feed.example/v3/index.json me:p/t"}
	for name, c := range map[string]struct {
		files   map[string]string
		command Command
		want    []string
	}{
		"nothing":                        {want: []string{"nuget.org=" + PublicIndex}},
		"the user's":                     {files: map[string]string{user: userConfig}, want: both},
		"a project's adds":               {files: map[string]string{user: userConfig, "home/src/nuget.config": `<configuration><packageSources><add key="team" value="https://team.example/index.json"/></packageSources></configuration>`}, want: append(both[:2:2], "team=https://team.example/index.json u:p")},
		"a project's clears":             {files: map[string]string{user: userConfig, "home/src/app/NuGet.Config": `<configuration><packageSources><clear/><add key="local" value="packages"/></packageSources></configuration>`}, want: []string{"local=DIR/packages"}},
		"a project's without sources":    {files: map[string]string{"home/src/app/NuGet.Config": `<configuration><config/></configuration>`}, want: []string{"nuget.org=" + PublicIndex}},
		"--source":                       {files: map[string]string{user: userConfig}, command: Command{Sources: []string{"https://x:${PAT}@other.example/index.json", "./here"}}, want: []string{"other.example=https://other.example/index.json x:a/b", "./here=DIR/here"}},
		"--source with a default":        {command: Command{Sources: []string{"${FEED:-https://other.example/index.json}", "https://x:${PAT:-none}@third.example/index.json"}}, want: []string{"other.example=https://other.example/index.json", "third.example=https://third.example/index.json x:a/b"}},
		"--source without its password":  {command: Command{Sources: []string{"https://x:${NONE:-}@third.example/index.json"}}, want: []string{"third.example=https://third.example/index.json"}},
		"--source by name":               {files: map[string]string{user: userConfig}, command: Command{Sources: []string{"my feed"}}, want: both[1:]},
		"--source by address":            {files: map[string]string{user: userConfig}, command: Command{Sources: []string{"https://feed.example/v3/index.json"}}, want: both[1:]},
		"--source with a token":          {command: Command{Sources: []string{"https://${PAT}@other.example/index.json"}}, want: []string{"other.example=https://other.example/index.json token:a/b"}},
		"--add-source":                   {files: map[string]string{user: userConfig}, command: Command{AddSources: []string{"https://pkgs.example/v3/index.json"}}, want: append(both[:2:2], "pkgs.example=https://pkgs.example/v3/index.json token:vss")},
		"--configfile":                   {files: map[string]string{user: userConfig, "home/src/app/ci.config": `<configuration><packageSources><add key="ci" value="https://ci.example/index.json"/></packageSources></configuration>`}, command: Command{ConfigFile: "ci.config"}, want: []string{"ci=https://ci.example/index.json"}},
		"the user's in its other folder": {files: map[string]string{"home/.config/NuGet/NuGet.Config": userConfig}, want: both},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(t, c.files, env)
			got, err := m.Sources(&c.command)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, source := range c.want {
				want = append(want, strings.ReplaceAll(source, "DIR", m.Dir))
			}
			if diff := cmp.Diff(want, shown(got.List)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSourceMappingChoosesByTheLongestPattern(t *testing.T) {
	t.Parallel()
	s, err := machine(t, map[string]string{"home/.nuget/NuGet/NuGet.Config": userConfig}, nil).Default()
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"acme.dates": "My Feed", "Acme": "nuget.org", "exact.one": "My Feed", "Exact.One.More": "nuget.org"} {
		if got := s.For(id); len(got) != 1 || got[0].Name != want {
			t.Errorf("%s comes from %v, want %s", id, shown(got), want)
		}
	}
}

func TestSourcesSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	const user = "home/.nuget/NuGet/NuGet.Config"
	for want, c := range map[string]struct {
		files   map[string]string
		command Command
	}{
		"the variable PAT of a package source does not have a value": {command: Command{Sources: []string{"https://x:${PAT}@other.example/index.json"}}},
		"does not leave any package source":                          {files: map[string]string{user: `<configuration><packageSources><clear/></packageSources></configuration>`}},
		"is encrypted for another program":                           {files: map[string]string{user: `<configuration><packageSourceCredentials><x><add key="Password" value="AQAA"/></x></packageSourceCredentials></configuration>`}},
		"NuGet.Config: ":                                             {files: map[string]string{user: `<configuration>`}},
		"none.config: ":                                              {command: Command{ConfigFile: "none.config"}},
		"want an HTTPS URL or a folder":                              {command: Command{Sources: []string{"ftp://x/y"}}},
	} {
		_, err := machine(t, c.files, nil).Sources(&c.command)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(userConfig))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var s settings
		if s.read(data, "/", func(string) (string, bool) { return "", false }) == nil {
			_, _ = s.sources()
		}
	})
}

func TestLocalToolsAreInTheNearestManifest(t *testing.T) {
	t.Parallel()
	const tools = `{"version": 1, "isRoot": %s, "tools": {"acme.dates.mcp": {"version": "1.2.0", "commands": ["acme-dates"], "rollForward": true}}} /* ours */`
	m := machine(t, map[string]string{
		"home/src/.config/dotnet-tools.json":        strings.Replace(tools, "%s", "false", 1),
		"home/src/app/servers/dotnet-tools.json":    `{"isRoot": true, "tools": {"other": {"version": "1.0.0", "commands": ["other"]}}}`,
		"home/src/broken/.config/dotnet-tools.json": `{"tools": {"acme.dates.mcp": {"version": "latest", "commands": ["acme-dates"]}}}`,
	}, nil)
	top := filepath.Dir(m.Home)
	got, ok, err := FindLocalTool(m.Dir, top, "acme-dates", true)
	if err != nil || !ok || got.Package != "acme.dates.mcp" || got.Version.String() != "1.2.0" || !got.RollForward {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	if got, ok, err := FindLocalTool(m.Dir, top, "Acme.Dates.MCP", false); err != nil || !ok || got.Package != "acme.dates.mcp" {
		t.Errorf("by its package: %+v, %v, %v", got, ok, err)
	}
	if got, ok, err := FindLocalTool(m.Dir, m.Dir, "acme-dates", true); err != nil || ok {
		t.Errorf("above the last folder: %+v, %v, %v", got, ok, err)
	}
	if got, ok, err := FindLocalTool(filepath.Join(m.Dir, "servers"), top, "acme-dates", true); err != nil || ok {
		t.Errorf("above a root: %+v, %v, %v", got, ok, err)
	}
	if _, _, err := FindLocalTool(filepath.Join(filepath.Dir(m.Dir), "broken"), top, "acme-dates", true); err == nil || !strings.Contains(err.Error(), "dotnet-tools.json: invalid version") {
		t.Errorf("a broken one: %v", err)
	}
}
