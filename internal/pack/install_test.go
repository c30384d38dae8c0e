package pack

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// files writes files below a new folder.
func files(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range contents {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindEntryPrefersThePackageThatWasAskedFor(t *testing.T) {
	t.Parallel()
	site := files(t, map[string]string{
		"Some_Server-1.0.dist-info/entry_points.txt": "[console_scripts]\nserver = some.server:app.run [cli]\nother=some:other\n\n[gui_scripts]\nwindow = some:window\n",
		"another-2.dist-info/entry_points.txt":       "[console_scripts]\n# a remark\nserver = another:main\nhelper = another:helper\nevil = a;import os:main\n",
	})
	for script, want := range map[string]entry{
		"server": {"some.server", "app.run"}, "other": {"some", "other"}, "helper": {"another", "helper"},
	} {
		if got, err := findEntry(site, script, []string{"some.server[x]==1.0"}, nil); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", script, got, err, want)
		}
	}
	for script, want := range map[string]string{"window": `has no script "window"; it has other, server`, "evil": "want module:function"} {
		if got, err := findEntry(site, script, []string{"some-server"}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want an error with %q", script, got, err, want)
		}
	}
}

func TestFindBinChoosesAsNPMDoes(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"node_modules/one/package.json":       `{"name": "one", "bin": "./cli.js"}`,
		"node_modules/@s/two/package.json":    `{"name": "@s/two", "bin": {"x": "dist/x.js", "two": "dist/two.js"}}`,
		"node_modules/alias/package.json":     `{"name": "alias", "bin": {"a": "dist/same.js", "b": "dist/same.js"}}`,
		"node_modules/many/package.json":      `{"name": "many", "bin": {"a": "a.js", "b": "b.js"}}`,
		"node_modules/none/package.json":      `{"name": "none"}`,
		"node_modules/elsewhere/package.json": `{"name": "elsewhere", "bin": "../../../etc/passwd"}`,
	})
	for _, c := range []struct{ require, bin, want string }{
		{"one@latest", "", "node_modules/one/cli.js"},
		{"one@latest", "one", "node_modules/one/cli.js"},
		{"@s/two@1", "", "node_modules/@s/two/dist/two.js"},
		{"@s/two@1", "x", "node_modules/@s/two/dist/x.js"},
		{"alias@1", "", "node_modules/alias/dist/same.js"},
		{"many@1", "b", "node_modules/many/b.js"},
	} {
		if got, err := findBin(dir, []string{c.require}, c.bin); err != nil || got != c.want {
			t.Errorf("%s %s: %q, %v, want %q", c.require, c.bin, got, err, c.want)
		}
	}
	for require, want := range map[string]string{"many@1": "which of a, b to run", "none@1": "has nothing to run", "elsewhere@1": "is outside its package"} {
		if got, err := findBin(dir, []string{require}, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want an error with %q", require, got, err, want)
		}
	}
}

func TestShebangGivesNodesOptions(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"plain.js": "import x", "env.js": "#!/usr/bin/env node\n", "flags.js": "#!/usr/bin/env -S node --no-warnings --x\r\n",
		"sh.js": "#!/bin/sh\n", "program": "\x7fELF....",
	})
	for name, want := range map[string]string{"plain.js": "", "env.js": "", "flags.js": "--no-warnings --x"} {
		if got, err := shebang(filepath.Join(dir, name)); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"sh.js", "program"} {
		if got, err := shebang(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is taken for a script of node: %q", name, got)
		}
	}
}

const requirements = `some-server==1.0 \
    --hash=sha256:aa \
    --hash=sha256:bb
anyio[trio]==4.0 ; python_version < "4" \
    --hash=sha256:cc
`

const npmLock = `{"lockfileVersion": 3, "packages": {
  "": {"name": "packed"},
  "node_modules/@s/two": {"version": "1.2.0", "integrity": "sha512-AAEC", "license": "MIT"},
  "node_modules/@s/two/node_modules/old": {"version": "0.1.0", "integrity": "sha1-AAEC", "license": {"type": "BSD"}},
  "node_modules/mac": {"version": "1.0.0", "integrity": "sha512-AAEC", "optional": true},
  "node_modules/tool": {"version": "9.0.0", "integrity": "sha512-AAEC", "dev": true}
}}`

func TestParseRequirementsWantsAHashForAll(t *testing.T) {
	t.Parallel()
	got, err := parseRequirements(requirements)
	if err != nil {
		t.Fatal(err)
	}
	want := []component{
		{ecosystem: "pypi", name: "some-server", version: "1.0", hashes: []string{"sha256:aa", "sha256:bb"}},
		{ecosystem: "pypi", name: "anyio", version: "4.0", hashes: []string{"sha256:cc"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(component{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, text := range []string{"a==1\n", "a>=1 --hash=sha256:aa\n", "--index-url https://example.com\n", "git+https://example.com/a\n"} {
		if got, err := parseRequirements(text); err == nil {
			t.Errorf("%q is a lock: %v", text, got)
		}
	}
}

func TestSBOMListsWhatIsInstalled(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"mcp_lock/py/requirements.txt":                                requirements,
		"mcp_lock/js/package-lock.json":                               npmLock,
		"packed/py/site-packages/some_server-1.0.dist-info/METADATA":  "Name: some-server\nLicense-Expression: MIT OR Apache-2.0\n\nLicense: not this\n",
		"packed/py/site-packages/anyio-4.0.dist-info/METADATA":        "Name: anyio\nLicense: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n",
		"packed/js/node_modules/@s/two/package.json":                  "{}",
		"packed/js/node_modules/@s/two/node_modules/old/package.json": "{}",
	})
	file := &packmanifest.File{
		Programs: map[string]packmanifest.Program{"git": {Path: "packed/_bin/git/git-server", SHA256: strings.Repeat("a", 64)}},
		Servers:  map[string]packmanifest.Server{"py": {}, "js": {}},
	}
	make := func() string {
		data, err := bom(dir, &Lock{Platform: Platform}, file, []Module{{"github.com/A/b", "v1.0.0"}, {"carried", ""}})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	text := make()
	for range 10 {
		if make() != text {
			t.Fatal("the same project gives other bytes")
		}
	}
	var bom struct {
		SpecVersion, SerialNumber string
		Components                []struct {
			PURL     string
			Name     string
			Hashes   []struct{ Alg, Content string }
			Licenses []struct {
				Expression string
				License    struct{ ID, Name string }
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &bom); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range bom.Components {
		line := c.PURL
		if line == "" {
			line = c.Name
		}
		for _, h := range c.Hashes {
			line += " " + h.Alg + ":" + h.Content[:2]
		}
		for _, l := range c.Licenses {
			line += " (" + l.Expression + l.License.ID + l.License.Name + ")"
		}
		got = append(got, line)
	}
	want := []string{
		"pkg:golang/carried",
		"pkg:golang/github.com/a/b@v1.0.0",
		"pkg:npm/%40s/two@1.2.0 SHA-512:00 (MIT)",
		"pkg:npm/old@0.1.0 SHA-1:00 (BSD)",
		"pkg:pypi/anyio@4.0 SHA-256:cc (MIT License)",
		"pkg:pypi/some-server@1.0 SHA-256:aa SHA-256:bb (MIT OR Apache-2.0)",
		"git-server SHA-256:aa",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if bom.SpecVersion != "1.6" || bom.SerialNumber != "" {
		t.Errorf("version %s, serial number %q", bom.SpecVersion, bom.SerialNumber)
	}
}

func TestChangesTellVersionsAndTools(t *testing.T) {
	t.Parallel()
	before := []component{{name: "a", version: "1"}, {name: "b", version: "1"}, {name: "c", version: "1"}, {name: "c", version: "1"}}
	after := []component{{name: "a", version: "1"}, {name: "b", version: "2"}, {name: "d", version: "3"}}
	var got []string
	for _, c := range changes(before, after) {
		got = append(got, c.String())
	}
	if diff := cmp.Diff([]string{"  b 2, was 1", "- c 1", "+ d 3"}, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	tools := toolChanges(
		[]Tool{
			{"same", "s", "1", nil}, {"gone", "g", "1", nil}, {"told", "before", "1", []byte(`{"description":"before"}`)},
			{"takes", "t", "1", []byte(`{"title":"T","inputSchema":{"properties":{"a":{"type":"string"},"b":{}}}}`)},
			{"twice", "t", "1", []byte(`{"x":1}`)}, {"old", "o", "", nil},
		},
		[]Tool{
			{"same", "s", "1", nil}, {"told", "after", "2", []byte(`{"description":"after"}`)},
			{"takes", "t", "2", []byte(`{"inputSchema":{"properties":{"a":{"type":"number"},"c\u200b":{"d":[1]}}},"title":"T"}`)},
			{"twice", "t", "2", []byte(`{"x":2,"x":1}`)}, {"old", "o", "2", []byte(`{}`)}, {"new", "n", "1", nil},
		})
	want := []ToolChange{
		{Name: "gone", What: "removed", Was: "g"}, {Name: "told", What: "description", Was: "before", Is: "after"},
		{Name: "takes", What: "arguments", Differences: []Difference{
			{"inputSchema.properties.a.type", `"string"`, `"number"`}, {"inputSchema.properties.b", "{}", ""},
			{`inputSchema.properties."c\u200b"`, "", `{"d":[1]}`},
		}},
		{Name: "twice", What: "arguments", Differences: []Difference{{"", `{"x":1}`, `{"x":2,"x":1}`}}},
		{Name: "new", What: "added", Is: "n"},
	}
	if diff := cmp.Diff(want, tools); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
}
