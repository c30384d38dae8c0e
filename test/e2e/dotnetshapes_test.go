//go:build e2e

package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/nugettest"
)

// A tool may come in many shapes: .NET itself says whether each finds what it needs as it is packed.
func TestEveryShapeOfDotnetToolStarts(t *testing.T) {
	t.Parallel()
	inputs := nugettest.Inputs(t)
	app := members(t, inputs, "acme.dates.mcp", "tools/net10.0/any/")
	maps.DeleteFunc(app, func(name, _ string) bool { return strings.Contains(name, "/") || name == "DotnetToolSettings.xml" })
	runtime := members(t, inputs, "microsoft.netcore.app.runtime.linux-x64", "runtimes/linux-x64/")
	apphost := members(t, inputs, "microsoft.netcore.app.host.linux-x64", "runtimes/linux-x64/native/")["apphost"]
	host, err := nuget.Host([]byte(apphost), "dates.dll")
	if err != nil {
		t.Fatal(err)
	}
	const core, web = "Microsoft.NETCore.App", "Microsoft.AspNetCore.App"
	tool := func(id, dir, settings string, change func(files map[string]string)) []byte {
		files := maps.Clone(app)
		files["DotnetToolSettings.xml"] = settings
		change(files)
		below := map[string]string{}
		for name, text := range files {
			below[path.Join(dir, name)] = text
		}
		return nugettest.Nupkg(t, id, "1.0.0", []string{"DotnetTool"}, below)
	}
	config := func(text string) func(map[string]string) {
		return func(files map[string]string) { files["dates.runtimeconfig.json"] = text }
	}
	assembly, program := nugettest.Settings("x", "dates.dll"), nugettest.ProgramSettings("x", "dates")
	feed := nugettest.New(t, inputs...)
	for _, nupkg := range [][]byte{
		tool("Web", "tools/net10.0/any", assembly, config(nugettest.RuntimeConfig("", web+"@10.0.0"))),
		tool("Both", "tools/net10.0/any", assembly, config(nugettest.RuntimeConfig("", core+"@10.0.0", web+"@10.0.0"))),
		tool("Older", "tools/net9.0/any", assembly, config(nugettest.RuntimeConfig("", core+"@9.0.0"))),
		tool("Rolls", "tools/net8.0/any", assembly, config(nugettest.RuntimeConfig("Major", core+"@8.0.0"))),
		tool("Below", "tools/net10.0/any", nugettest.Settings("x", "bin/dates.dll"), func(files map[string]string) {
			for name, text := range maps.Clone(app) {
				files["bin/"+name] = text
				delete(files, name)
			}
		}),
		// A program with its assembly beside it, that needs a runtime.
		tool("Hosted", "tools/net10.0/linux-x64", program, func(files map[string]string) { files["dates"] = string(host) }),
		// A program with its whole runtime beside it.
		tool("Whole", "tools/any/linux-x64", program, func(files map[string]string) {
			files["dates"] = string(host)
			delete(files, "dates.deps.json") // then all that is there counts
			for name, text := range runtime {
				files[path.Base(name)] = text
			}
			files["dates.runtimeconfig.json"] = `{"runtimeOptions": {"includedFrameworks": [{"name": "Microsoft.NETCore.App", "version": "10.0.12"}]}}`
		}),
		// As much of ASP.NET as says that it is there.
		nugettest.Nupkg(t, web+".Runtime.linux-x64", "10.0.12", []string{"DotnetPlatform"}, map[string]string{
			"runtimes/linux-x64/lib/net10.0/" + web + ".deps.json": `{"runtimeTarget": {"name": ".NETCoreApp,Version=v10.0/linux-x64"}, "targets": {".NETCoreApp,Version=v10.0/linux-x64": {}}, "libraries": {}}`,
		}),
	} {
		feed.Add(t, nupkg)
	}

	dir := scaffold(t, `{"mcpServers": {"none": {"command": "none", "disabled": true}, "web": {"command": "dnx", "args": ["Web", "--yes"]}}}`)
	servers := map[string]any{}
	for _, id := range []string{"Web", "Both", "Rolls", "Below", "Hosted", "Whole", "Older"} {
		args := []string{id + "@1.0.0", "--yes", "--source", feed.URL}
		if id == "Older" {
			args = append(args, "--allow-roll-forward")
		}
		servers[strings.ToLower(id)] = map[string]any{"command": "dnx", "args": args}
	}
	write(t, filepath.Join(dir, "mcp_config.json"), asJSON(t, map[string]any{"mcpServers": servers}))
	cmd := exec.Command(mcpfunc(t), "pack", "--json")
	cmd.Dir, cmd.Env = dir, append(e2etest.Environ(), "XDG_CACHE_HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("mcpfunc pack: %v\n%s", err, &stderr)
	}
	var report struct {
		Servers []struct {
			Name  string
			Tools *int
		}
		Dotnet struct{ Versions, Servers []string }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	for _, s := range report.Servers {
		if s.Tools == nil || *s.Tools != 7 {
			t.Errorf("%s answers with %v tools, want 7", s.Name, s.Tools)
		}
	}
	if len(report.Servers) != 7 || len(report.Dotnet.Servers) != 6 || len(report.Dotnet.Versions) != 1 {
		t.Errorf("packed are %s", out)
	}
}

// members returns files of the package with that id among several, by what follows a folder.
func members(t *testing.T, packages [][]byte, id, folder string) map[string]string {
	t.Helper()
	for _, data := range packages {
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		found := false
		for _, f := range z.File {
			found = found || strings.EqualFold(f.Name, id+".nuspec")
			name, below := strings.CutPrefix(f.Name, folder)
			if !below {
				continue
			}
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if kind, rest, ok := strings.Cut(name, "/"); ok && (kind == "lib" || kind == "native") {
				name = rest
			}
			files[name] = string(text)
		}
		if found {
			return files
		}
	}
	t.Fatalf("there is no package %s", id)
	return nil
}
