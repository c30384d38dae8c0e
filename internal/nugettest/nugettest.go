// Package nugettest is a NuGet feed on loopback, and packages to put into it. Only tests import it.
package nugettest

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A Feed answers as NuGet's v3 protocol is documented: ids and versions are in lower case in its paths, and
// anything else is 404.
type Feed struct {
	URL string // of the service index

	// To be set before the first request.
	User, Password string // wanted of everyone; empty for nobody
	Plain          bool   // without a registration
	Pages          bool   // the registration's pages are documents of their own
	NoFolder       bool   // without a folder of packages: the registration says where they are
	Break          func(w http.ResponseWriter, r *http.Request) bool

	base     string
	mu       sync.Mutex
	packages map[string]map[string]*entry // by id and version, in lower case
	asked    []string
}

type entry struct {
	version  string
	data     []byte
	unlisted bool
}

// New starts a feed with packages, which are nupkgs.
func New(t testing.TB, packages ...[]byte) *Feed {
	t.Helper()
	f := &Feed{packages: map[string]map[string]*entry{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.base = server.URL
	f.URL = server.URL + "/v3/index.json"
	for _, p := range packages {
		f.Add(t, p)
	}
	return f
}

var metadata = regexp.MustCompile(`(?s)<id>\s*(.*?)\s*</id>.*?<version>\s*(.*?)\s*</version>`)

// Add adds a package, or puts it in the place of the one of that version.
func (f *Feed) Add(t testing.TB, nupkg []byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(nupkg), int64(len(nupkg)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range z.File {
		if !strings.HasSuffix(file.Name, ".nuspec") {
			continue
		}
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var text bytes.Buffer
		if _, err := text.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		m := metadata.FindStringSubmatch(text.String())
		if m == nil {
			t.Fatalf("%s has neither an id nor a version", file.Name)
		}
		f.put(m[1], m[2], nupkg)
		return
	}
	t.Fatal("a package without a nuspec")
}

func (f *Feed) put(id, version string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id = strings.ToLower(id)
	if f.packages[id] == nil {
		f.packages[id] = map[string]*entry{}
	}
	f.packages[id][strings.ToLower(version)] = &entry{version: version, data: data}
}

// Unlist takes a version off the list; it stays to be had by name.
func (f *Feed) Unlist(id, version string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.packages[strings.ToLower(id)][strings.ToLower(version)].unlisted = true
}

// Asked returns the paths that were asked for since it was called last.
func (f *Feed) Asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.asked
	f.asked = nil
	return asked
}

// ServeHTTP implements http.Handler.
func (f *Feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked = append(f.asked, r.URL.Path)
	f.mu.Unlock()
	if f.Break != nil && f.Break(w, r) {
		return
	}
	if user, password, _ := r.BasicAuth(); f.User != "" && (user != f.User || password != f.Password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="feed"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	words := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/v3/index.json":
		f.index(w)
	case words[0] == "flat" && !f.NoFolder && len(words) == 3 && words[2] == "index.json" && f.packages[words[1]] != nil:
		versions := []string{}
		for v := range f.packages[words[1]] {
			versions = append(versions, v)
		}
		slices.Sort(versions)
		answer(w, map[string]any{"versions": versions})
	case (words[0] == "flat" && !f.NoFolder || words[0] == "content") && len(words) == 4:
		e := f.packages[words[1]][words[2]]
		if e == nil || words[3] != words[1]+"."+words[2]+".nupkg" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", fmt.Sprint(len(e.data)))
		_, _ = w.Write(e.data)
	case words[0] == "registration" && !f.Plain && len(words) == 3 && f.packages[words[1]] != nil:
		f.registration(w, r, words[1], words[2])
	default:
		http.NotFound(w, r)
	}
}

func (f *Feed) index(w http.ResponseWriter) {
	type resource struct {
		ID   string `json:"@id"`
		Type any    `json:"@type"`
	}
	resources := []resource{{f.base + "/search", "SearchQueryService"}}
	if !f.NoFolder {
		resources = append(resources, resource{f.base + "/flat/", "PackageBaseAddress/3.0.0"})
	}
	if !f.Plain {
		resources = append(resources, resource{f.base + "/nowhere/", "RegistrationsBaseUrl"}, resource{f.base + "/registration/", []string{"RegistrationsBaseUrl/3.6.0"}})
	}
	answer(w, map[string]any{"version": "3.0.0", "resources": resources})
}

// registration answers with an index, or with its one page, compressed as those of version 3.6.0 are.
func (f *Feed) registration(w http.ResponseWriter, r *http.Request, id, document string) {
	items := []any{}
	for v, e := range f.packages[id] {
		items = append(items, map[string]any{
			"@id":            f.base + "/registration/" + id + "/" + v + ".json",
			"catalogEntry":   map[string]any{"id": id, "version": e.version, "listed": !e.unlisted},
			"packageContent": f.base + "/content/" + id + "/" + v + "/" + id + "." + v + ".nupkg",
		})
	}
	page := map[string]any{"@id": f.base + "/registration/" + id + "/page.json", "count": len(items), "items": items}
	var doc any = map[string]any{"count": 1, "items": []any{page}}
	switch {
	case document == "page.json" && f.Pages:
		doc = page
	case document != "index.json":
		http.NotFound(w, r)
		return
	case f.Pages:
		doc = map[string]any{"count": 1, "items": []any{map[string]any{"@id": page["@id"], "count": len(items)}}}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	defer z.Close()
	_ = json.NewEncoder(z).Encode(doc)
}

func answer(w http.ResponseWriter, doc any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(doc)
}

// Nupkg makes a package of files by name, and of a nuspec for id and version with these types.
func Nupkg(t testing.TB, id, version string, types []string, files map[string]string) []byte {
	t.Helper()
	var spec strings.Builder
	fmt.Fprintf(&spec, "\ufeff<?xml version=\"1.0\"?>\n<package xmlns=\"http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd\"><metadata><id>%s</id><version>%s</version>", id, version)
	spec.WriteString(`<license type="expression">MIT</license><packageTypes>`)
	for _, name := range types {
		fmt.Fprintf(&spec, `<packageType name="%s" />`, name)
	}
	spec.WriteString("</packageTypes></metadata></package>")
	all := map[string]string{id + ".nuspec": spec.String(), "[Content_Types].xml": "<Types />", "_rels/.rels": "<Relationships />"}
	for name, text := range files {
		all[name] = text
	}
	return Zip(t, all)
}

// Zip makes a zip of files by name; the same files give the same bytes.
func Zip(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Settings is a DotnetToolSettings.xml of version 1, of a tool that needs a runtime.
func Settings(command, entry string) string {
	return fmt.Sprintf(`<?xml version="1.0"?><DotNetCliTool Version="1"><Commands><Command Name="%s" EntryPoint="%s" Runner="dotnet" /></Commands></DotNetCliTool>`, command, entry)
}

// ProgramSettings is one of version 2, of a program.
func ProgramSettings(command, entry string) string {
	return fmt.Sprintf(`<DotNetCliTool Version="2"><Commands><Command Name="%s" EntryPoint="%s" Runner="executable" /></Commands></DotNetCliTool>`, command, entry)
}

// PointerSettings is one of version 2 that names packages by runtime identifier.
func PointerSettings(command string, packages map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<DotNetCliTool Version="2"><Commands><Command Name="%s" /></Commands><RuntimeIdentifierPackages>`, command)
	for rid, id := range packages {
		fmt.Fprintf(&b, `<RuntimeIdentifierPackage RuntimeIdentifier="%s" Id="%s" />`, rid, id)
	}
	b.WriteString(`</RuntimeIdentifierPackages></DotNetCliTool>`)
	return b.String()
}

// RuntimeConfig is a NAME.runtimeconfig.json with frameworks NAME@VERSION.
func RuntimeConfig(roll string, frameworks ...string) string {
	type framework struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	var list []framework
	for _, f := range frameworks {
		name, version, _ := strings.Cut(f, "@")
		list = append(list, framework{name, version})
	}
	options := map[string]any{"tfm": "net10.0", "frameworks": list}
	if roll != "" {
		options["rollForward"] = roll
	}
	data, err := json.Marshal(map[string]any{"runtimeOptions": options})
	if err != nil {
		panic(err) // strings alone
	}
	return string(data)
}

// Inputs returns the real packages next to the repository. They are too large to be in it: where
// they are missing the test is skipped, and says so.
func Inputs(t testing.TB) [][]byte {
	t.Helper()
	paths := InputPaths(t)
	var all [][]byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

// InputPaths is Inputs as paths.
func InputPaths(t testing.TB) []string {
	t.Helper()
	const dir = "../shared/inputs/nuget"
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			t.Fatal("the test does not run in the repository")
		}
		root = filepath.Dir(root)
	}
	paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.nupkg"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skipf("%s is not here: it has the packages of two servers and of the runtime of .NET", dir)
	}
	return paths
}

// Program is a file that passes for a program of Linux on an architecture of Go: its header, and text.
func Program(goarch, text string) string {
	machine := byte(62) // EM_X86_64
	if goarch == "arm64" {
		machine = 183 // EM_AARCH64
	}
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	head[16], head[18], head[20] = 2, machine, 1
	head[52], head[54], head[58] = 64, 56, 64
	return string(head) + text
}

// Runtime makes the packages of a version of .NET for an architecture of Go: the runtime, ASP.NET and the
// host, with next to nothing in them.
func Runtime(t testing.TB, version, goarch string) [][]byte {
	t.Helper()
	arch := strings.Replace(goarch, "amd64", "x64", 1)
	major, _, _ := strings.Cut(version, ".")
	lib, native := "runtimes/linux-"+arch+"/lib/net"+major+".0/", "runtimes/linux-"+arch+"/native/"
	const mark = "c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2"
	return [][]byte{
		Nupkg(t, "Microsoft.NETCore.App.Runtime.linux-"+arch, version, []string{"DotnetPlatform"}, map[string]string{
			lib + "System.Runtime.dll": version, native + "libcoreclr.so": version, native + "libhostfxr.so": version, "LICENSE.TXT": "MIT",
		}),
		Nupkg(t, "Microsoft.AspNetCore.App.Runtime.linux-"+arch, version, []string{"DotnetPlatform"}, map[string]string{lib + "Microsoft.AspNetCore.dll": version}),
		Nupkg(t, "Microsoft.NETCore.App.Host.linux-"+arch, version, []string{"DotnetPlatform"}, map[string]string{
			native + "apphost": Program(goarch, mark+strings.Repeat("\x00", 1024-len(mark))+version),
		}),
	}
}

// Tool makes a tool that needs frameworks NAME@VERSION.
func Tool(t testing.TB, id, version, tfm, roll string, frameworks ...string) []byte {
	t.Helper()
	dir := "tools/" + tfm + "/any/"
	return Nupkg(t, id, version, []string{"DotnetTool", "McpServer"}, map[string]string{
		dir + "DotnetToolSettings.xml": Settings("x", "x.dll"), dir + "x.dll": version, dir + "x.runtimeconfig.json": RuntimeConfig(roll, frameworks...),
		dir + "x.deps.json":              `{"libraries": {"x/1.0.0": {"type": "project"}, "Some.Library/3.1.0": {"type": "package", "sha512": "sha512-hbs+RTcAOWAX2OJYmTAUVPyZeh5NSB++cn1ejTKjAwRdNclBYcxWmY3Rf/8kyI76h+EEltItsKigCLAx/ZBeXg=="}}}`,
		dir + "runtimes/win/lib/x/y.dll": "not here",
	})
}
