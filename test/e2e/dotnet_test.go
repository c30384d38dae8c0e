//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/nugettest"
)

// The servers of ../shared/inputs/nuget: one needs a runtime, the other brings it. They are one C# program.
var dotnetServers = map[string]string{"dates": "Acme.Dates.Mcp@1.2.0", "notes": "Acme.Notes.Mcp@1.2.0"}

// What comes from NuGet answers where it will run, with .NET neither here nor there: from the command line of
// its page to the package, with the feed away once it is packed.
func TestServersFromNuGetAnswerFromThePackageAlone(t *testing.T) {
	t.Parallel()
	feed := nugettest.New(t, nugettest.Inputs(t)...)
	dir := filepath.Join(t.TempDir(), "app")
	env := append(e2etest.Environ(), "XDG_CACHE_HOME="+t.TempDir(), "DOTNET_ROOT=")
	// uv and npm keep their own caches.
	if cache, err := os.UserCacheDir(); err == nil {
		env = append(env, "UV_CACHE_DIR="+filepath.Join(cache, "uv"))
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(mcpfunc(t), args...)
		cmd.Env = env
		if args[0] != "init" {
			cmd.Dir = dir
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("mcpfunc %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
		}
		return string(out)
	}
	run("init", dir, "--yes", "--", "dnx", dotnetServers["dates"], "--yes", "--source", feed.URL)
	if text := readFile(t, filepath.Join(dir, "README.md")); !strings.Contains(text, "\n    mcpfunc pack\n") || strings.Contains(text, "does not include:") {
		t.Errorf("the project's README does not say to pack, or wants a stack:\n%s", text)
	}
	run("add-server", "notes", "--", "dotnet", "tool", "exec", dotnetServers["notes"], "--source", feed.URL, "--yes")
	run("add-server", "time", "--", "uvx", e2etest.Pinned(t, "mcp-server-time"))
	run("add-server", "everything", "--", "npx", "-y", e2etest.Pinned(t, "@modelcontextprotocol/server-everything"))
	dates := "Acme-Dates-Mcp" // as init calls it
	run("build")
	t.Logf("mcpfunc pack:\n%s", run("pack", "--python", pythonVersion(t)))
	run("pack", "--check")
	assertNoAddresses(t, filepath.Join(dir, "mcp_lock"))

	before := contents(t, dir, "packed", "mcp_lock", "sbom.cdx.json")
	feed.Break = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	run("pack", "--offline", "--no-probe")
	if diff := cmp.Diff(before, contents(t, dir, "packed", "mcp_lock", "sbom.cdx.json")); diff != "" {
		t.Errorf("packing again without the feed gave something else:\n%s", diff)
	}
	for _, id := range []string{"Acme.Dates.Mcp@1.2.0", "Acme.Notes.Mcp.linux-x64@1.2.0", "ModelContextProtocol@2.4.0", "Microsoft.NETCore.App.Runtime.linux-x64@10.0.12"} {
		if !strings.Contains(before["sbom.cdx.json"], "pkg:nuget/"+id) {
			t.Errorf("sbom.cdx.json does not list %s", id)
		}
	}

	zipped := publish(t, dir)
	deployed := unzip(t, zipped)
	questions := []question{
		{dates, "echo", map[string]any{"text": "from .NET"}},
		{"notes", "echo", map[string]any{"text": "from .NET"}},
		{"time", "get_current_time", map[string]any{"timezone": "UTC"}},
		{"everything", "echo", map[string]any{"message": "from Node"}},
	}
	sealed := askSealed(t, deployed, questions)
	for i, want := range []string{"from .NET", "from .NET", "UTC", "from Node"} {
		if !strings.Contains(sealed[i].Text, want) || strings.Contains(sealed[i].Log, "starts as written") {
			t.Errorf("%s answers %q, want %q in it:\n%s", sealed[i].Server, sealed[i].Text, want, sealed[i].Log)
		}
	}

	output := new(e2etest.Transcript)
	host, address := e2etest.Serve(t, deployed, output, "PATH="+interpreters(t, basePython(t)), "DOTNET_ROOT=")
	handler := filepath.Join(deployed, "handler")
	t.Cleanup(func() {
		alive := processesOf(t, handler)
		if err := host.Close(); err != nil {
			t.Errorf("close the host: %v", err)
		}
		assertGone(t, alive, deployed)
		if t.Failed() {
			t.Logf("the app's output:\n%s", output)
		}
	})
	resident := map[string]int{}
	for _, q := range questions {
		url := address + "/api/mcp/" + q.Server
		known := processesOf(t, handler)
		p := connect(t, url)
		p.mustCall(t, q.Tool, q.Args)
		resident[q.Server] = residentMiB(t, known, processesOf(t, handler))
		p.end(t)
		if q.Server == dates || q.Server == "notes" {
			t.Run(q.Server, func(t *testing.T) { playDotnet(t, url) })
		}
	}
	for _, name := range []string{"dotnet-diagnostic", "clr-debug-pipe"} {
		for _, p := range processesOf(t, handler) {
			if left, _ := filepath.Glob(filepath.Join(os.TempDir(), fmt.Sprintf("%s-%d-*", name, p.PID))); len(left) > 0 {
				t.Errorf("a debugger could open %q", left)
			}
		}
	}

	info, err := os.Stat(zipped)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the package has %.1f MB", float64(info.Size())/1e6)
	t.Log("                                          in the package   start to tools/list   resident")
	for i, q := range questions {
		size := folderBytes(t, filepath.Join(dir, "packed", q.Server)) + folderBytes(t, filepath.Join(dir, "packed", "_bin", q.Server))
		t.Logf("%-42s %10.1f MB %18.2f s %7d MiB", q.Server, float64(size)/1e6, sealed[i].Listed.Seconds(), resident[q.Server])
	}
	t.Logf("%-42s %10.1f MB", "the .NET that servers share", float64(folderBytes(t, filepath.Join(dir, "packed", "_dotnet")))/1e6)
}

// playDotnet plays what a session is for with one of the C# servers.
func playDotnet(t *testing.T, url string) {
	p := connect(t, url)
	for _, tool := range []string{"ask", "count", "echo", "fail", "sample", "slow", "steps"} {
		if !p.has(t, tool) {
			t.Errorf("tools/list lacks %s", tool)
		}
	}
	if list, err := p.ListResources(t.Context(), nil); err != nil || len(list.Resources) != 1 {
		t.Errorf("resources/list: %+v, %v", list, err)
	} else if read, err := p.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: list.Resources[0].URI}); err != nil || len(read.Contents) != 1 {
		t.Errorf("resources/read: %+v, %v", read, err)
	}
	if list, err := p.ListPrompts(t.Context(), nil); err != nil || len(list.Prompts) != 1 {
		t.Errorf("prompts/list: %+v, %v", list, err)
	}
	text := "grüße, 世界 \U0001F600 \u2028 \"quoted\""
	if got := p.mustCall(t, "echo", map[string]any{"text": text}); !strings.Contains(got, text) {
		t.Errorf("echo %q: %q", text, got)
	}
	if got, err := p.call(t.Context(), "fail", nil); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("a tool that fails: %q, %v", got, err)
	}

	params := &mcp.CallToolParams{Name: "steps", Arguments: map[string]any{"steps": 5}}
	params.SetProgressToken("token of the call")
	if got, err := p.callWith(t.Context(), params); err != nil || !strings.Contains(got, "done") {
		t.Errorf("a call with progress: %q, %v", got, err)
	}
	var seen [][2]float64
	if !e2etest.Eventually(patience, func() bool { // the SDK may return the answer before it has called the handler for the last one
		p.note(func() { seen = slices.Clone(p.progress) })
		return len(seen) >= 5
	}) {
		t.Errorf("progress: %v", seen)
	}
	if got := p.mustCall(t, "sample", map[string]any{"q": "why?"}); !strings.Contains(got, "because") || len(p.sampled) != 1 {
		t.Errorf("sampling: %q, asked %d times", got, len(p.sampled))
	}
	if got := p.mustCall(t, "ask", nil); !strings.Contains(got, "Ada") || len(p.elicited) != 1 {
		t.Errorf("elicitation: %q, asked %d times", got, len(p.elicited))
	}

	var calls sync.WaitGroup
	for i := range 40 {
		calls.Go(func() {
			want := fmt.Sprintf("call %d", i)
			if got, err := p.call(t.Context(), "echo", map[string]any{"text": want}); err != nil || !strings.HasSuffix(got, want) {
				t.Errorf("%s: %q, %v", want, got, err)
			}
		})
	}
	calls.Wait()
	if first, second := p.mustCall(t, "count", nil), p.mustCall(t, "count", nil); first == second {
		t.Errorf("the session does not count: %q twice", first)
	}
	p.end(t)

	for mode, version := range map[string]string{"legacy": legacy, "auto": modern} {
		options := &mcp.ClientSessionOptions{}
		if mode == "legacy" {
			options.ProtocolVersion = legacy
		}
		session, err := mcp.NewClient(&mcp.Implementation{Name: "mcpfunc-e2e-go", Version: "1"}, nil).Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url}, options)
		if err != nil {
			t.Errorf("%s: %v", mode, err)
			continue
		}
		result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"text": "hello"}})
		if err != nil || len(result.Content) != 1 || session.InitializeResult().ProtocolVersion != version {
			t.Errorf("%s: %+v, %v, version %s, want %s", mode, result, err, session.InitializeResult().ProtocolVersion, version)
		}
		if err := session.Close(); err != nil {
			t.Errorf("%s: end the session: %v", mode, err)
		}
	}
}

// residentMiB is the memory of the processes that were not there before, in MiB.
func residentMiB(t *testing.T, before, now []e2etest.Process) int {
	t.Helper()
	sum := 0
	for _, p := range now {
		if slices.ContainsFunc(before, func(q e2etest.Process) bool { return q.PID == p.PID && q.Start == p.Start }) {
			continue
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
		if err != nil {
			continue // it ended
		}
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
				if err != nil {
					t.Fatal(err)
				}
				sum += kib
			}
		}
	}
	return sum >> 10
}

// contents returns what is in files and folders of a project, by path.
func contents(t *testing.T, dir string, names ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() == "tools.json" { // which is there only where servers are tried
				return err
			}
			rel, err := filepath.Rel(dir, path)
			all[filepath.ToSlash(rel)] = readFile(t, path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func folderBytes(t *testing.T, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		sum += info.Size()
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return sum
}
