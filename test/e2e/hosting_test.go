//go:build e2e

package e2e

import (
	"archive/zip"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

const deployable = `{"mcpServers": {
	"time": {"command": "uvx", "args": ["mcp-server-time"], "env": {"A": "${API_KEY}", "B": "${REGION}"}},
	"fabric": {"command": "fabric", "auth": {"method": "azure_obo", "azure_client_id": "${AZURE_CLIENT_ID}"}}
}}`

// hosted scaffolds a project with these flags of init.
func hosted(t *testing.T, config string, flags ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	file := filepath.Join(t.TempDir(), "mcp_config.json")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	runIn(t, ".", nil, mcpfunc(t), append([]string{"init", dir, "--config", file, "--yes"}, flags...)...)
	return dir
}

// runIn runs a program that must succeed and returns its output.
func runIn(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(e2etest.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

func readFile(t *testing.T, elem ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// instructions returns a Dockerfile's, one a line, without comments.
func instructions(dockerfile string) []string {
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(dockerfile, "")
	text = strings.ReplaceAll(text, "\\\n", "")
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return line == "" })
}

// There is no Docker here: the steps of the image are run in folders that stand for its stages.
func TestDockerfileStepsRun(t *testing.T) {
	t.Parallel()
	dir := hosted(t, deployable, "--docker", "--offline")
	runIn(t, dir, nil, e2etest.Tool("lint", "bin", "hadolint"), "Dockerfile")

	stages := [][]string{}
	for _, line := range instructions(readFile(t, dir, "Dockerfile")) {
		if strings.HasPrefix(line, "FROM ") {
			stages = append(stages, nil)
		}
		if run, ok := strings.CutPrefix(line, "RUN "); ok {
			stages[len(stages)-1] = append(stages[len(stages)-1], run)
		}
	}
	if len(stages) != 3 || len(stages[0]) != 1 || len(stages[2]) != 2 {
		t.Fatalf("the RUN steps of the stages are %q", stages)
	}

	runIn(t, dir, nil, "sh", "-n", "-c", stages[2][1]) // which makes a user

	for _, line := range strings.Fields(readFile(t, dir, ".dockerignore")) { // "COPY . ." of the first stage
		if err := os.RemoveAll(filepath.Join(dir, line)); err != nil {
			t.Fatal(err)
		}
	}
	runIn(t, dir, nil, "sh", "-ec", stages[0][0])
	functions, err := filepath.Glob(filepath.Join(dir, "*", "function.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"handler", "host.json", "mcp_config.json"}
	for _, f := range functions {
		want = append(want, filepath.Base(filepath.Dir(f)))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, names(t, dir)); diff != "" || len(functions) == 0 {
		t.Errorf("the image's wwwroot (-want +got):\n%s", diff)
	}

	// Node and npm as the image of Node has them, pip as that of Python.
	root := t.TempDir()
	bin := filepath.Join(root, "usr", "local", "bin")
	lib := filepath.Join(root, "usr", "local", "lib", "node_modules")
	for _, d := range []string{bin, lib} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	npm := runIn(t, ".", nil, "sh", "-ec", `dirname "$(dirname "$(realpath "$(command -v npm)")")"`)
	for link, target := range map[string]string{filepath.Join(bin, "node"): node, filepath.Join(lib, "npm"): strings.TrimSpace(npm)} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	runIn(t, ".", nil, "python3", "-m", "venv", filepath.Join(root, "python"))
	path := "PATH=" + strings.Join([]string{bin, filepath.Join(root, "python", "bin"), "/usr/bin", "/bin"}, ":")
	said := runIn(t, root, []string{path}, "sh", "-ec", strings.ReplaceAll(stages[2][0], "/usr/local/bin", bin))
	if !regexp.MustCompile(`(?m)^uvx? `).MatchString(said) {
		t.Errorf("the last step said %s", said)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestInfrastructureHolds(t *testing.T) {
	t.Parallel()
	onlyUsers := `{"mcpServers": {"fabric": {"command": "fabric", "auth": {"method": "azure_obo", "azure_client_id": "${AZURE_CLIENT_ID}"}}}}`
	onlyKeys := `{"mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time"]}}}`
	var projects []string
	for name, config := range map[string]string{"mixed": deployable, "users of Entra ID": onlyUsers, "keys": onlyKeys} {
		dir := hosted(t, config, "--hosting", "flex", "--azd")
		projects = append(projects, dir)
		files, err := filepath.Glob(filepath.Join(dir, "infra", "*.bicep"))
		if err != nil || len(files) < 2 {
			t.Fatalf("%s: the infrastructure is %q, %v", name, files, err)
		}
		runIn(t, dir, nil, e2etest.Tool("lint", "bin", "python"), append([]string{abs(t, "tools/bicep.py")}, files...)...)
		if regexp.MustCompile(`(?m)^\s+FUNCTIONS_WORKER_RUNTIME:`).MatchString(readFile(t, dir, "infra", "app.bicep")) {
			t.Errorf("%s: FUNCTIONS_WORKER_RUNTIME is set, which Flex Consumption refuses", name)
		}
		projects = append(projects, hosted(t, config, "--hosting", "custom", "--azd"))
		shared := hosted(t, config, "--hosting", "flex", "--azd", "--redis")
		projects = append(projects, shared)
		runIn(t, shared, nil, e2etest.Tool("lint", "bin", "python"), abs(t, "tools/bicep.py"), filepath.Join("infra", "main.bicep"), filepath.Join("infra", "app.bicep"))
	}

	t.Run("compiles", func(t *testing.T) {
		compile := e2etest.File(t, "..", "shared", "tools", "bicep", "check")
		if _, err := os.Stat(compile); err != nil {
			t.Skip("the Bicep compiler is not here: ../shared/tools/bicep/check")
		}
		if said := runIn(t, t.TempDir(), nil, compile, projects...); said != "" {
			t.Errorf("the Bicep compiler says:\n%s", said)
		}
	})

	// Of the versions of an API, the newest stable one that this compiler knows: an answer that no day changes.
	t.Run("versions", func(t *testing.T) {
		tools := e2etest.File(t, "..", "shared", "tools", "bicep")
		graph, err := os.ReadFile(filepath.Join(tools, "graph.tgz"))
		if err != nil {
			t.Skip("the Bicep compiler is not here: ../shared/tools/bicep")
		}
		const config = `{"extensions": {"microsoftGraphV1": "../graph.tgz"},
			"analyzers": {"core": {"enabled": true, "rules": {"use-recent-api-versions": {"level": "warning", "maxAgeInDays": 0}}}}}`
		for _, project := range projects {
			dir := t.TempDir()
			infra := filepath.Join(dir, "infra")
			if err := os.CopyFS(infra, os.DirFS(filepath.Join(project, "infra"))); err != nil {
				t.Fatal(err)
			}
			for name, data := range map[string][]byte{filepath.Join(dir, "graph.tgz"): graph, filepath.Join(infra, "bicepconfig.json"): []byte(config)} {
				if err := os.WriteFile(name, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			said := runIn(t, infra, []string{"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1"}, filepath.Join(tools, "bicep"), "build", "main.bicep", "--outfile", filepath.Join(dir, "main.json"))
			if strings.Contains(said, "use-recent-api-versions") {
				t.Errorf("the Bicep compiler says:\n%s", said)
			}
		}
	})
}

func abs(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A hook without a shell runs in sh and in PowerShell: azd ends both with the exit code of the last command.
func TestHooksOfAZDAreForEveryShell(t *testing.T) {
	t.Parallel()
	dir := hosted(t, deployable, "--hosting", "flex", "--azd")
	out := runIn(t, dir, nil, e2etest.Tool("lint", "bin", "python"), "-c", "import json, yaml; print(json.dumps(yaml.safe_load(open('azure.yaml'))))")
	type hooks map[string]map[string]string
	type service struct {
		Project, Language, Dist, Host string
		Hooks                         hooks
	}
	type azure struct {
		Name     string
		Services map[string]service
		Hooks    hooks
	}
	var got azure
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	want := azure{
		Name:  "app",
		Hooks: hooks{"preprovision": {"run": "mcpfunc azd-preprovision"}},
		Services: map[string]service{"mcp": {".", "custom", ".", "function",
			hooks{"prepackage": {"run": "mcpfunc generate --check && mcpfunc build && mcpfunc pack"}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("azure.yaml (-want +got):\n%s", diff)
	}
}

// The steps of the workflow that need neither GitHub nor Azure are run as they stand.
func TestWorkflowBuildsThePackage(t *testing.T) {
	t.Parallel()
	// Of an app of the stack python Core Tools makes the package.
	dir := hosted(t, deployable, "--hosting", "flex", "--github")
	runIn(t, dir, nil, e2etest.Tool("bin", "actionlint"), ".github/workflows/deploy.yml")
	if text := readFile(t, dir, ".github", "workflows", "deploy.yml"); !strings.Contains(text, "func azure functionapp publish") || strings.Contains(text, "config-zip") {
		t.Errorf("az is to build a Python project on Azure:\n%s", text)
	}

	dir = hosted(t, strings.Replace(deployable, `"uvx", "args": ["mcp-server-time"]`, `"npx", "args": ["-y", "server"]`, 1), "--hosting", "flex", "--azd", "--github")
	runIn(t, dir, nil, "git", "init", "--quiet")
	runIn(t, dir, nil, e2etest.Tool("bin", "actionlint"), ".github/workflows/deploy.yml")

	workflow := readFile(t, dir, ".github", "workflows", "deploy.yml")
	for _, use := range regexp.MustCompile(`uses: (\S+)`).FindAllStringSubmatch(workflow, -1) {
		if !regexp.MustCompile(`^[a-z]+/[a-z-]+@[0-9a-f]{40}$`).MatchString(use[1]) {
			t.Errorf("%s is not pinned to a commit", use[1])
		}
	}
	job := deployJob(t, dir)
	if diff := cmp.Diff(map[string]string{"contents": "read", "id-token": "write"}, job.Permissions); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
	if err := os.MkdirAll(filepath.Join(dir, ".azure", "prod"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".azure", "prod", ".env"), []byte("API_KEY=secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	for _, step := range job.Steps {
		if step.Name != "Build" && step.Name != "Package" {
			continue
		}
		env := []string{"RUNNER_TEMP=" + temp}
		for name, value := range step.Env {
			env = append(env, name+"="+strings.ReplaceAll(value, "${{ runner.temp }}", temp))
		}
		runIn(t, dir, env, "bash", "-eo", "pipefail", "-c", step.Run)
	}
	packed, err := zip.OpenReader(filepath.Join(temp, "app.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	modes := map[string]bool{}
	for _, f := range packed.File {
		modes[f.Name] = f.Mode()&0o111 != 0
	}
	if diff := cmp.Diff(map[string]bool{"handler": true, "host.json": false, "mcp_config.json": false}, modes); diff != "" {
		t.Errorf("the package, and what of it is executable (-want +got):\n%s", diff)
	}
}

// A workflowJob is what of a job of a workflow matters here.
type workflowJob struct {
	Permissions map[string]string
	Steps       []workflowStep
}

type workflowStep struct {
	Name, Run string
	Env       map[string]string
}

// deployJob reads the only job of the workflow of the project in dir.
func deployJob(t *testing.T, dir string) (job workflowJob) {
	t.Helper()
	out := runIn(t, dir, nil, e2etest.Tool("lint", "bin", "python"), "-c", "import json, yaml; print(json.dumps(yaml.safe_load(open('.github/workflows/deploy.yml'))['jobs']['deploy']))")
	if err := json.Unmarshal([]byte(out), &job); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return job
}

// The az that stands in knows whether the app has the setting, and notes how it was called.
func TestWorkflowGivesTheAppAKeyOnce(t *testing.T) {
	t.Parallel()
	dir := hosted(t, deployable, "--hosting", "flex", "--github")
	bin := t.TempDir()
	az := `#!/bin/sh
echo "$@" >>"$STATE/calls"
case "$*" in
"functionapp config appsettings list --resource-group group --name app --query [?name=='MCPFUNC_SESSION_KEY'].name --output tsv")
	[ ! -e "$STATE/settings" ] || echo MCPFUNC_SESSION_KEY ;;
"functionapp config appsettings set --resource-group group --name app --settings @- --output none")
	cat >"$STATE/settings" ;;
*)
	exit 1 ;;
esac
`
	if err := os.WriteFile(filepath.Join(bin, "az"), []byte(az), 0o755); err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "STATE=" + state, "GROUP=group", "APP=app"}
	steps := deployJob(t, dir).Steps
	i := slices.IndexFunc(steps, func(s workflowStep) bool { return strings.Contains(s.Name, "session key") })
	if i < 0 || steps[i+1].Name != "Deploy" {
		t.Fatalf("no step before the last is about the key: %+v", steps)
	}
	said := runIn(t, dir, env, "bash", "-eo", "pipefail", "-c", steps[i].Run)
	made := readFile(t, state, "settings")
	var settings map[string]string
	if err := json.Unmarshal([]byte(made), &settings); err != nil || len(settings) != 1 {
		t.Errorf("the settings are no object with one member: %v", err)
	}
	key := settings["MCPFUNC_SESSION_KEY"]
	if raw, err := base64.StdEncoding.DecodeString(key); err != nil || len(raw) != 32 {
		t.Errorf("the key is %d bytes, %v; want 32", len(raw), err)
	}
	if strings.Contains(said+readFile(t, state, "calls"), key) {
		t.Error("the key is in the log or in a command line")
	}
	runIn(t, dir, env, "bash", "-eo", "pipefail", "-c", steps[i].Run)
	if readFile(t, state, "settings") != made {
		t.Error("a second run made another key")
	}
}
