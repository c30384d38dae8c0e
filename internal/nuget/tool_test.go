package nuget_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/nugettest"
)

// pkg is a tool's package with these files; each folder of tools/ gets settings unless it has some.
func pkg(t *testing.T, files map[string]string) *nuget.Package {
	t.Helper()
	p, err := read(nugettest.Nupkg(t, "Acme.X", "1.0.0", tool, files))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// settingsIn makes settings, and the assembly that they name, in folders of a package.
func settingsIn(folders ...string) map[string]string {
	files := map[string]string{}
	for _, f := range folders {
		files["tools/"+f+"/DotnetToolSettings.xml"] = nugettest.Settings("x", "x.dll")
		files["tools/"+f+"/x.dll"] = "MZ"
	}
	return files
}

func TestToolsAreOfTheNewestFrameworkAndTheBestRID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		arch    string
		folders string
		want    string
	}{
		{"x64", "net10.0/any", "net10.0/any"},
		{"x64", "net8.0/any net10.0/any net9.0/any netcoreapp3.1/any", "net10.0/any net9.0/any net8.0/any netcoreapp3.1/any"},
		{"x64", "net8.0/any net8.0/linux-x64 net8.0/unix net8.0/linux", "net8.0/linux-x64"},
		{"x64", "net8.0/unix net8.0/linux net8.0/unix-x64", "net8.0/linux"},
		{"x64", "net8.0/unix net8.0/unix-x64 net8.0/win-x64", "net8.0/unix-x64"},
		{"x64", "net10.0/linux-musl-x64 net10.0/win-x64 net8.0/any", "net8.0/any"},
		{"x64", "net10.0-windows7.0/any net48/any net8.0/any", "net8.0/any"},
		{"x64", "any/linux-x64 net8.0/any", "net8.0/any any/linux-x64"},
		{"arm64", "net8.0/linux-x64 net8.0/linux-arm64 net8.0/any", "net8.0/linux-arm64"},
	} {
		tools, pointer, err := pkg(t, settingsIn(strings.Fields(c.folders)...)).Tools(c.arch)
		var got []string
		for _, tool := range tools {
			got = append(got, strings.TrimPrefix(tool.Dir, "tools/"))
		}
		if err != nil || pointer != "" || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %q, %v, want %q", c.folders, got, pointer, err, c.want)
		}
	}
}

func TestPointerNamesThePackageOfThePlatform(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		arch     string
		packages map[string]string
		want     string
	}{
		{"x64", map[string]string{"linux-x64": "A.linux-x64", "any": "A.any", "win-x64": "A.win"}, "A.linux-x64"},
		{"arm64", map[string]string{"linux-x64": "A.linux-x64", "any": "A.any"}, "A.any"},
		{"x64", map[string]string{"linux-musl-x64": "A.musl", "linux": "A.linux"}, "A.linux"},
	} {
		tools, got, err := pkg(t, map[string]string{"tools/any/any/DotnetToolSettings.xml": nugettest.PointerSettings("x", c.packages)}).Tools(c.arch)
		if err != nil || len(tools) > 0 || got != c.want {
			t.Errorf("%v on %s: %v, %q, %v, want %q", c.packages, c.arch, tools, got, err, c.want)
		}
	}
}

func TestToolsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	settings := func(text string) map[string]string {
		return map[string]string{"tools/any/any/DotnetToolSettings.xml": text, "tools/any/any/x.dll": "MZ"}
	}
	for _, c := range []struct {
		files      map[string]string
		want, hint string
	}{
		{settingsIn("net8.0/win-x64", "net8.0/osx-arm64"), "has no program for linux-x64, only for osx-arm64, win-x64", "ask its publisher"},
		{map[string]string{"tools/any/any/DotnetToolSettings.xml": nugettest.PointerSettings("x", map[string]string{"win-x64": "A.win"})}, "has no program for linux-x64, only for win-x64", "ask its publisher"},
		{nil, "says that it is a tool but does not contain DotnetToolSettings.xml", ""},
		{settings("<DotNetCliTool"), "DotnetToolSettings.xml: XML syntax error", ""},
		{settings(strings.Replace(nugettest.Settings("x", "x.dll"), `Version="1"`, `Version="3"`, 1)), `unknown version "3"`, ""},
		{settings(nugettest.Settings("x", "../x.dll")), "is not a path in its folder", ""},
		{settings(nugettest.Settings("x", "/x.dll")), "is not a path in its folder", ""},
		{settings(nugettest.Settings("x", "x.exe")), "is not an assembly", ""},
		{settings(nugettest.Settings("x", "y.dll")), "starts tools/any/any/y.dll, which it does not contain", "publisher"},
		{settings(strings.Replace(nugettest.Settings("x", "x.dll"), `"dotnet"`, `"mono"`, 1)), `unknown runner "mono"`, ""},
		{settings(`<DotNetCliTool Version="1"><Commands/></DotNetCliTool>`), "has 0 commands", ""},
		{settings(nugettest.PointerSettings("x", map[string]string{"linux-x64": "../evil"})), `invalid package "../evil"`, ""},
	} {
		_, _, err := pkg(t, c.files).Tools("x64")
		wantError(t, err, c.want, c.hint)
	}
	library, err := read(nugettest.Nupkg(t, "Lib", "1.0.0", nil, map[string]string{"lib/net8.0/Lib.dll": "MZ"}))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = library.Tools("x64")
	wantError(t, err, "Lib 1.0.0 is not a .NET tool but a library", "dnx can run only tools")
	template, err := read(nugettest.Nupkg(t, "Tpl", "1.0.0", []string{"Template"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = template.Tools("x64")
	wantError(t, err, "is not a .NET tool but a Template", "dnx can run only tools")
}

func TestNeedsAreWhatTheRuntimeConfigSays(t *testing.T) {
	t.Parallel()
	needs := func(files map[string]string) (nuget.Needs, error) {
		p := pkg(t, files)
		tools, _, err := p.Tools("x64")
		if err != nil {
			t.Fatal(err)
		}
		return p.Needs(tools[0])
	}
	with := func(config string) map[string]string {
		files := settingsIn("net10.0/any")
		files["tools/net10.0/any/x.runtimeconfig.json"] = config
		return files
	}
	v := func(text string) nuget.Version { v, _ := parseRange(t, text).Exact(); return v }
	for config, want := range map[string]nuget.Needs{
		`{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "10.0.0"}}} /* ours */`:                                                        {Version: v("10.0.0")},
		nugettest.RuntimeConfig("Major", "Microsoft.NETCore.App@8.0.0", "Microsoft.AspNetCore.App@8.0.4"):                                                             {Version: v("8.0.4"), Web: true, Roll: nuget.RollMajor},
		nugettest.RuntimeConfig("LatestPatch", "Microsoft.AspNetCore.App@9.0.0"):                                                                                      {Version: v("9.0.0"), Web: true, Roll: nuget.RollPatch},
		`{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "10.0.0"}, "configProperties": {"System.Globalization.AppLocalIcu": "72.1"}}}`: {Version: v("10.0.0"), OwnICU: true},
	} {
		got, err := needs(with(config))
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(nuget.Version{})); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", config, err, diff)
		}
	}
	for config, want := range map[string]string{
		nugettest.RuntimeConfig("", "Microsoft.WindowsDesktop.App@8.0.0"):  "which Linux does not have",
		nugettest.RuntimeConfig("Sideways", "Microsoft.NETCore.App@8.0.0"): `unknown rollForward "Sideways"`,
		nugettest.RuntimeConfig("", "Microsoft.NETCore.App@new"):           "invalid version",
		"{}": "does not say which runtime it needs",
		"{":  "x.runtimeconfig.json: ",
	} {
		if got, err := needs(with(config)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want an error with %q", config, got, err, want)
		}
	}
	_, err := needs(settingsIn("net10.0/any"))
	wantError(t, err, "it does not contain x.runtimeconfig.json", "publisher")

	// A program brings its runtime, unless it says otherwise.
	program := map[string]string{"tools/any/linux-x64/DotnetToolSettings.xml": nugettest.ProgramSettings("x", "x.server"), "tools/any/linux-x64/x.server": "\x7fELF"}
	if got, err := needs(program); err != nil || got.Some() {
		t.Errorf("a program needs %+v, %v", got, err)
	}
	program["tools/any/linux-x64/x.server.runtimeconfig.json"] = nugettest.RuntimeConfig("", "Microsoft.NETCore.App@10.0.0")
	if got, err := needs(program); err != nil || !got.Some() {
		t.Errorf("a program with an assembly beside it needs %+v, %v", got, err)
	}
}

func TestNeedsFitAsTheHostResolves(t *testing.T) {
	t.Parallel()
	v := func(text string) nuget.Version { v, _ := parseRange(t, text).Exact(); return v }
	for _, c := range []struct {
		want string
		roll nuget.Roll
		have string
		fits bool
	}{
		{"8.0.1", nuget.RollMinor, "8.0.20", true}, {"8.0.1", nuget.RollMinor, "8.1.0", true}, {"8.0.1", nuget.RollMinor, "8.0.0", false}, {"8.0.0", nuget.RollMinor, "9.0.0", false},
		{"8.0.0", nuget.RollPatch, "8.0.5", true}, {"8.0.0", nuget.RollPatch, "8.1.0", false}, {"8.0.0", nuget.RollNone, "8.0.1", false}, {"8.0.0", nuget.RollNone, "8.0.0", true},
		{"8.0.0", nuget.RollMajor, "10.0.1", true}, {"8.0.0", nuget.RollMajor, "10.0.0-rc.1", false}, {"10.0.0-rc.1", nuget.RollMinor, "10.0.0-rc.2", true}, {"10.0.0-rc.1", nuget.RollMinor, "10.0.0", true},
	} {
		if got := (nuget.Needs{Version: v(c.want), Roll: c.roll}).Fits(v(c.have)); got != c.fits {
			t.Errorf("%s with roll %d: %s fits is %v", c.want, c.roll, c.have, got)
		}
	}
}

func TestFilesLeaveOutWhatOtherSystemsLoad(t *testing.T) {
	t.Parallel()
	files := settingsIn("net8.0/any")
	for _, name := range []string{
		"runtimes/win/lib/net8.0/a.dll", "runtimes/win-x64/native/a.dll", "runtimes/win10-x64/native/a.dll", "runtimes/osx.10.12-x64/native/a", "runtimes/linux-musl-x64/native/a.so",
		"runtimes/linux-arm64/native/a.so", "runtimes/linux-x64/native/a.so", "runtimes/unix/lib/net8.0/a.dll", "runtimes/linux/lib/a.dll", "runtimes/debian.12-x64/native/a.so", "runtimes/ubuntu.22.04-arm/native/a.so", "runtimes/readme", "de/x.resources.dll",
	} {
		files["tools/net8.0/any/"+name] = "x"
	}
	p := pkg(t, files)
	tools, _, err := p.Tools("x64")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"de/x.resources.dll", "runtimes/debian.12-x64/native/a.so", "runtimes/linux-x64/native/a.so", "runtimes/linux/lib/a.dll", "runtimes/readme", "runtimes/unix/lib/net8.0/a.dll", "x.dll"}
	if diff := cmp.Diff(want, p.Files(tools[0], "x64")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHostNamesItsAssembly(t *testing.T) {
	t.Parallel()
	const mark = "c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2"
	apphost := []byte("before" + mark + strings.Repeat("\x00", 1024-len(mark)) + "after")
	for _, name := range []string{"x.dll", strings.Repeat("d", 200) + ".dll"} {
		made, err := nuget.Host(apphost, name)
		want := "before" + name + strings.Repeat("\x00", 1024-len(name)) + "after"
		if err != nil || string(made) != want {
			t.Errorf("%q, %v", made, err)
		}
	}
	if !bytes.Contains(apphost, []byte(mark)) {
		t.Error("the host itself was changed")
	}
	for _, bad := range []string{"no place", mark + mark + strings.Repeat("\x00", 2048), "short" + mark} {
		if made, err := nuget.Host([]byte(bad), "x.dll"); err == nil {
			t.Errorf("%q is made of %q", made, bad)
		}
	}
	if _, err := nuget.Host(apphost, strings.Repeat("d", 1024)); err == nil {
		t.Error("a name too long fits")
	}
}

func TestRuntimeFilesLieWhereTheHostLooks(t *testing.T) {
	t.Parallel()
	v, _ := parseRange(t, "10.0.12").Exact()
	for name, want := range map[string]string{
		"runtimes/linux-x64/lib/net10.0/System.Runtime.dll": "shared/Microsoft.NETCore.App/10.0.12/System.Runtime.dll",
		"runtimes/linux-x64/native/libcoreclr.so":           "shared/Microsoft.NETCore.App/10.0.12/libcoreclr.so",
		"runtimes/linux-x64/native/libhostfxr.so":           "host/fxr/10.0.12/libhostfxr.so",
		"runtimes/linux-arm64/native/libcoreclr.so":         "", "LICENSE.TXT": "", "runtimes/linux-x64/other/x": "", "data/RuntimeList.xml": "",
	} {
		if got := nuget.RuntimeFile(nuget.CoreFramework, v, "x64", name); got != want {
			t.Errorf("%s lies in %q, want %q", name, got, want)
		}
	}
}

func TestLibrariesAreThePackagesOfDepsJSON(t *testing.T) {
	t.Parallel()
	got, err := nuget.Libraries([]byte(`{"libraries": {"dates/1.0.0": {"type": "project", "sha512": ""}, "B/2.0.0-a": {"type": "package", "sha512": "sha512-AAEC"}, "A/1.0": {"type": "package"}, "../x/1": {"type": "package"}}}`))
	if diff := cmp.Diff([]nuget.Library{{ID: "A", Version: "1.0"}, {ID: "B", Version: "2.0.0-a", Digest: "AAEC"}}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
