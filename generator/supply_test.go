package generator

import (
	"regexp"
	"strings"
	"testing"
)

// What an image, a workflow and an infrastructure are made of is fixed or can be fixed by a command, and has no more
// rights than it needs.
func TestSupplyChainOfWhatIsMade(t *testing.T) {
	t.Parallel()
	p := project(t, `{"mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time@1.0.0"], "env": {"TOKEN": "${TIME_TOKEN}"}}}}`)
	p.Extras = Extras{Docker: true, AZD: true, GitHub: true}
	made := plan(t, p)

	t.Run("image", func(t *testing.T) {
		t.Parallel()
		image := file(t, made, "Dockerfile")
		stages := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(image, -1)
		if len(stages) != 3 {
			t.Errorf("the stages are %q", stages)
		}
		for _, stage := range stages {
			// Dependabot does not look into build arguments.
			if !regexp.MustCompile(`^[a-z][^$]*:[^$]*[0-9][^$]*$`).MatchString(stage[1]) || strings.Contains(stage[1], "latest") {
				t.Errorf("%s has no version that a bot can replace", stage[1])
			}
		}
		_, last, _ := strings.Cut(image, "FROM mcr.microsoft.com/")
		copied, user := strings.LastIndex(last, "COPY "), strings.LastIndex(last, "\nUSER ")
		if !regexp.MustCompile(`\nUSER [1-9][0-9]*:[1-9][0-9]*\n$`).MatchString(last) || user < copied {
			t.Errorf("the last word is not a user by number who does not own the app: %s", last)
		}
		if !strings.Contains(last, "ASPNETCORE_URLS=http://+:8080") {
			t.Error("the host listens where only root may")
		}
	})
	t.Run("workflow", func(t *testing.T) {
		t.Parallel()
		flow := file(t, made, ".github/workflows/deploy.yml")
		for _, uses := range regexp.MustCompile(`uses: (\S+)( # v\d+\.\d+\.\d+)?`).FindAllStringSubmatch(flow, -1) {
			if !regexp.MustCompile(`@[0-9a-f]{40}$`).MatchString(uses[1]) || uses[2] == "" {
				t.Errorf("%s is not fixed by its hash, with the version beside it", uses[0])
			}
		}
		all, job, _ := strings.Cut(flow, "\njobs:\n")
		if !strings.Contains(all, "\npermissions: {}\n") || !strings.Contains(job, "\n    permissions:\n      contents: read\n") ||
			strings.Contains(flow, "write-all") || strings.Contains(job, "contents: write") {
			t.Error("permissions are not given by job alone, or are too many")
		}
	})
	t.Run("updates", func(t *testing.T) {
		t.Parallel()
		for _, ecosystem := range []string{"github-actions", "docker", "gomod"} {
			if !strings.Contains(file(t, made, ".github/dependabot.yml"), "  - package-ecosystem: "+ecosystem+"\n") {
				t.Errorf("nobody proposes updates of %s", ecosystem)
			}
		}
	})
	t.Run("infrastructure", func(t *testing.T) {
		t.Parallel()
		main, app := file(t, made, "infra/main.bicep"), file(t, made, "infra/app.bicep")
		if !regexp.MustCompile(`(?m)^@secure\(\)\n(@.*\n)*param secrets object`).MatchString(main) || !regexp.MustCompile(`(?m)^@secure\(\)\n(@.*\n)*param secrets object`).MatchString(app) {
			t.Error("secrets are no secure parameter")
		}
		if !strings.Contains(app, "enablePurgeProtection: purgeProtection ? true : null") || !strings.Contains(main, "purgeProtection: purgeProtection") {
			t.Error("purge protection is no parameter")
		}
	})
}
