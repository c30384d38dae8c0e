package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// toolPatience is how long a program may take to say its version; az and azd take seconds.
const toolPatience = 20 * time.Second

// A tool is a program of the developer, not of a server.
type tool struct {
	name string
	ask  []string // arguments that make it say its version
	hint string   // how to get it

	least string // version below which it is too old, and what then does not work
	why   string
	fails bool // what does not work is sure to be used
}

// The least versions. Core Tools: azure-functions-core-tools 4.5.0 proxies requests to custom
// handlers and knows configurationProfile. Azure CLI: "Create and manage function apps in a Flex
// Consumption plan" on Microsoft Learn. azd: the first that takes "language: custom", as our azure.yaml
// says.
const (
	leastFunc = "4.5.0"
	leastAz   = "2.60.0"
	leastAzd  = "1.20.0"
)

func tools(profile bool) []tool {
	return []tool{
		{name: "func", ask: words("--version"), least: leastFunc, fails: profile,
			why:  "do not stream and do not support the mcp-custom-handler profile",
			hint: "install Azure Functions Core Tools: npm install -g azure-functions-core-tools@4, or https://learn.microsoft.com/azure/azure-functions/functions-run-local"},
		{name: "az", ask: words("version --output json"), least: leastAz, why: "do not support Flex Consumption",
			hint: "install the Azure CLI: https://learn.microsoft.com/cli/azure/install-azure-cli"},
		{name: "azd", ask: words("version"), least: leastAzd, why: "do not accept the generated azure.yaml",
			hint: "install the Azure Developer CLI: https://aka.ms/azd-install"},
		{name: "uvx", ask: words("--version"), hint: process.Hint("uvx")},
		{name: "npx", ask: words("--version"), hint: process.Hint("npx")},
		{name: "docker", ask: words("--version"), hint: "install Docker: https://docs.docker.com/get-started/get-docker"},
	}
}

// Tools looks for the programs that make and publish projects, outside of one.
func Tools(ctx context.Context, environ []string) []Finding {
	all := []Finding{goTool(ctx, "", environ)}
	for _, t := range tools(false) {
		all = append(all, t.find(ctx, environ))
	}
	return all
}

// tools is Tools for a project, which may need some of them.
func (p *Project) tools(ctx context.Context) []Finding {
	all := []Finding{goTool(ctx, p.Dir, p.Environ)}
	var publishers []string
	for _, t := range tools(p.made.Hosting != generator.HostingCustom) {
		f := t.find(ctx, p.Environ)
		switch {
		case f.Status != Missing:
			if t.name == "func" || t.name == "az" {
				publishers = append(publishers, t.name)
			}
		case t.name == "azd" && p.has("azure.yaml"):
			f.Status, f.Detail = Warn, f.Detail+", and azure.yaml is for it"
		case t.name == "docker" && p.has("Dockerfile"):
			f.Status, f.Detail = Warn, f.Detail+", and there is a Dockerfile"
		}
		all = append(all, f)
	}
	if len(publishers) == 0 {
		all = append(all, Finding{Name: "publish", Status: Missing, Detail: "neither func nor az is on PATH, and mcpfunc publish needs one of them",
			Hint: `run "mcpfunc publish --dry-run" for the commands to run elsewhere`})
	}
	return all
}

// find says where a tool is and which version. One that does not say its version is taken as it is.
func (t tool) find(ctx context.Context, environ []string) Finding {
	path, err := process.Find(process.Spec{Command: t.name, Env: environ})
	if err != nil {
		return Finding{Name: t.name, Status: Missing, Detail: "not on PATH", Hint: t.hint}
	}
	out, err := ask(ctx, "", environ, path, t.ask...)
	if err != nil {
		return warning(t.name, t.hint, "%s cannot run: %v", path, err).of(path)
	}
	v := versionIn(out)
	switch {
	case v == "":
		return okay(t.name, "%s", path).of(path)
	case t.least == "" || !older(v, t.least):
		return okay(t.name, "%s (%s)", path, v).of(path)
	}
	f := warning(t.name, t.hint, "%s is version %s; versions before %s %s", path, v, t.least, t.why).of(path)
	if t.fails {
		f.Status = Fail
	}
	return f
}

// goTool says which Go would build in dir.
func goTool(ctx context.Context, dir string, environ []string) Finding {
	const name, hint = "go", "install Go from https://go.dev/dl"
	path, err := process.Find(process.Spec{Command: name, Env: environ})
	if err != nil {
		return failure(name, hint, "not on PATH")
	}
	out, err := ask(ctx, dir, environ, path, "env", "GOVERSION")
	if err != nil {
		return failure(name, hint, "%s cannot run: %v", path, err)
	}
	if want := goOf(dir); want != "" && version.IsValid(out) && version.Compare(out, want) < 0 {
		return failure(name, hint+", or let Go get it: GOTOOLCHAIN=auto", "%s is %s, but go.mod needs %s", path, out, want)
	}
	return okay(name, "%s (%s)", path, out).of(path)
}

var goLine = regexp.MustCompile(`(?m)^go\s+(\S+)`)

// goOf is the version that the go.mod in dir asks for, as GOVERSION writes it.
func goOf(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return ""
	}
	if m := goLine.FindSubmatch(data); m != nil {
		return "go" + string(m[1])
	}
	return ""
}

// ask runs a program and returns what it prints, without blanks around it.
func ask(ctx context.Context, dir string, environ []string, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, toolPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = dir, environ
	cmd.WaitDelay = time.Second // for what it started and left behind
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", fmt.Errorf("no answer within %s", toolPatience)
	}
	if err != nil {
		if said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n"); said != "" {
			return "", fmt.Errorf("%w: %s", err, said)
		}
		return "", err
	}
	return strings.TrimSpace(stdout.String()), nil
}

var versionText = regexp.MustCompile(`\d+\.\d+(\.\d+)*`)

// versionIn finds the version in what a program says about itself. az says it as JSON, as its text
// goes on about updates.
func versionIn(said string) string {
	var az struct {
		Core string `json:"azure-cli"`
	}
	if json.Unmarshal([]byte(said), &az) == nil && az.Core != "" {
		return az.Core
	}
	return versionText.FindString(said)
}

// older reports whether version a comes before b. Both are numbers with dots.
func older(a, b string) bool {
	numbers := func(v string) []int {
		var ns []int
		for part := range strings.SplitSeq(v, ".") {
			n, _ := strconv.Atoi(part)
			ns = append(ns, n)
		}
		return ns
	}
	return slices.Compare(numbers(a), numbers(b)) < 0
}
