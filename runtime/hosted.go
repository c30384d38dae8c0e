package mcpfunc

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A hosting is what the Functions host has told this process about the app when it started it.
type hosting struct {
	instance string // the same for every process of one instance, and not its id
	profile  string // configurationProfile of host.json
	preview  bool   // the feature flag of that profile is set
	stack    string // FUNCTIONS_WORKER_RUNTIME
}

// previewFlag is what AzureWebJobsFeatureFlags must hold for a profile to count (Azure Functions custom
// handlers, preview).
const previewFlag = "EnableMcpCustomHandlerPreview"

// hostedBy returns nil where no Functions host has started us.
func hostedBy(root string, env environment) *hosting {
	if env.get(portSetting) == "" {
		return nil
	}
	id := cmp.Or(env.get("WEBSITE_INSTANCE_ID"), rand.Text()) // the latter is of this process alone
	name := sha256.Sum256([]byte(id))
	flags := strings.Split(env.get("AzureWebJobsFeatureFlags"), ",")
	return &hosting{
		instance: hex.EncodeToString(name[:6]),
		profile:  hostSettingsOf(root, env)["configurationprofile"],
		preview:  slices.ContainsFunc(flags, func(f string) bool { return strings.EqualFold(strings.TrimSpace(f), previewFlag) }),
		stack:    env.get("FUNCTIONS_WORKER_RUNTIME"),
	}
}

// aboutHosting is what `mcpfunc doctor --remote` asks for. It names folders of the instance and commands, no
// arguments and no values, and is told only under the Functions host, where a key guards the page.
func (a *App) aboutHosting() map[string]any {
	h := a.cfg.hosting
	limitation, hint := a.supervisor.Limitation()
	sandbox, _ := process.SandboxTier()
	var servers []map[string]any
	for _, s := range a.servers {
		servers = append(servers, s.aboutCommand())
	}
	programs := map[string]string{}
	for _, name := range []string{"python3", "uvx", "node", "npx", "dotnet", "git", "sh"} {
		programs[name], _ = process.Find(process.Spec{Command: name, Env: os.Environ()})
	}
	return map[string]any{
		"instance": h.instance, "uptime_seconds": time.Since(a.started).Seconds(),
		"profile": h.profile, "preview_flag": h.preview, "stack": h.stack,
		"platform": runtime.GOOS + "/" + runtime.GOARCH, "isolation": a.supervisor.Isolation(), "sandbox": sandbox, "limitation": limitation, "limitation_hint": hint,
		"path": os.Getenv("PATH"), "programs": programs, "servers": servers,
		"session_key": a.cfg.sessionKeys != "", "redis": a.cfg.redisURL != "",
	}
}

// aboutCommand says where the command of s is for its processes.
func (s *server) aboutCommand() map[string]any {
	about := map[string]any{"name": s.spec.Name, "command": filepath.Base(s.spec.Command)}
	if drifted := s.policy.Drifted(); drifted != nil {
		about["drifted_tools"] = drifted
	}
	file, err := process.Find(process.Spec{
		Command: s.spec.Command, Dir: s.spec.Dir, Env: authenv.Join(authenv.Base(os.Environ(), s.spec.InheritEnv), s.spec.Env),
	})
	if err != nil {
		about["error"] = err.Error()
		about["hint"] = process.Hint(s.spec.Command)
		return about
	}
	about["file"] = file
	return about
}
