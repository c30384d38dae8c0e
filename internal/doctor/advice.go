package doctor

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/pack"
)

// An Advice is a warning about a configuration that is valid, and the rule that it is of.
type Advice struct {
	Rule Rule
	config.Warning
}

// A Rule names what an Advice is about.
type Rule string

// The rules, in the order in which Advise applies them.
const (
	RulePackages Rule = "packages" // what is fetched at start is not pinned
	RuleDotnet   Rule = "dotnet"   // what is started is of .NET and no package
	RuleSecrets  Rule = "secrets"  // a secret is written out
	RuleSessions Rule = "sessions" // settings that do not do what they say
	RuleAccess   Rule = "access"   // anybody may call
	RuleLimits   Rule = "limits"   // what the platform cuts
	RuleSandbox  Rule = "sandbox"  // what a server needs at its start and may not have
)

// silence is how long the load balancer in front of Azure Functions lets a connection be silent.
const silence = 230 * time.Second

// Advise goes through a configuration that was parsed without a lookup, so that ${NAME} stands where
// it was written. Values that look like secrets are never part of what it says.
func Advise(file *config.File) []Advice {
	var all []Advice
	for _, s := range file.Enabled() {
		all = slices.Concat(all, packageAdvice(file, s), dotnetAdvice(file, s), secretAdvice(file, s), sessionAdvice(file, s), accessAdvice(file, s), sandboxAdvice(file, s))
	}
	return append(all, limitAdvice(file)...)
}

// advise says that key of a server, or of the file if s is nil, has a problem. text is a predicate of
// the key, as in config.Error.
func advise(rule Rule, file *config.File, s *config.Server, key, hint, text string, args ...any) Advice {
	w := config.Warning{Path: file.Path, Key: key, Hint: hint, Text: strconv.Quote(key) + " " + fmt.Sprintf(text, args...)}
	if s != nil {
		w.Server, w.Line = s.Name, s.Line
	}
	return Advice{rule, w}
}

// sessionAdvice finds processes that are to be started ahead and cannot be, and sessions that end with
// their instance.
func sessionAdvice(file *config.File, s config.Server) []Advice {
	var all []Advice
	if s.Sessions.Prewarm > 0 && s.Auth.Method != config.AuthNone {
		all = append(all, advise(RuleSessions, file, &s, "sessions.prewarm",
			"remove it: such a process can start only when its caller is known",
			"has no effect: with auth.method %q a process belongs to its caller", s.Auth.Method))
	}
	if s.Sessions.OnLost == config.OnLostNotFound {
		all = append(all, advise(RuleSessions, file, &s, "sessions.on_lost",
			`write "resurrect" or "notify" if the server can continue without its process's state; otherwise set MCPFUNC_REDIS_URL, so that other instances can reach it`,
			"ends a session when its instance is replaced or a request reaches another instance, and most clients do not reinitialize after a 404"))
	}
	return all
}

// sandboxAdvice finds package runners that a sandbox keeps from their packages, and folders that are everybody's.
func sandboxAdvice(file *config.File, s config.Server) []Advice {
	var all []Advice
	for _, dir := range s.Sandbox.Write {
		if dir = path.Clean(dir); dir == "/tmp" || dir == "/var" || dir == "/home" || dir == "/root" {
			all = append(all, advise(RuleSandbox, file, &s, "sandbox.write", "name a folder below it; for temporary files each server already has its own folder",
				"contains %s, which also holds files of other servers", dir))
		}
	}
	if len(packages(s.Command, s.Args)) == 0 {
		return all
	}
	const hint = "run mcpfunc pack, so that nothing is downloaded at startup"
	if s.Sandbox.NoNetwork && !slices.Contains(s.Sandbox.Ports, 443) {
		all = append(all, advise(RuleSandbox, file, &s, "sandbox.network", hint, "blocks %s from the registry that it downloads from, unless the server is packed", pack.ProgramName(s.Command)))
	}
	if s.Sandbox.ReadOnly {
		all = append(all, advise(RuleSandbox, file, &s, "sandbox.write", hint, "gives %s an empty cache in every session, unless the server is packed", pack.ProgramName(s.Command)))
	}
	return all
}

// dotnetAdvice finds what starts something of .NET that is on one machine alone, and says what to write instead.
func dotnetAdvice(file *config.File, s config.Server) []Advice {
	if !nuget.Runs(pack.ProgramName(s.Command)) && !nuget.GlobalTool(s.Command) {
		return nil
	}
	_, err := nuget.ParseCommand(s.Command, s.Args)
	if e := (*nuget.Error)(nil); errors.As(err, &e) {
		return []Advice{advise(RuleDotnet, file, &s, "command", e.Hint, "cannot be packed: %v", e)}
	}
	return nil
}

func accessAdvice(file *config.File, s config.Server) []Advice {
	if !s.Auth.AllowPublic {
		return nil
	}
	return []Advice{advise(RuleAccess, file, &s, "auth.allow_public",
		"remove it unless the server is harmless even if anyone can call it", "lets the app start even if no key protects the server")}
}

// limitAdvice finds streams that the load balancer would cut.
func limitAdvice(file *config.File) []Advice {
	const key, hint = "runtime.keepalive_seconds", "omit it: the default is 20 seconds"
	switch k := file.Runtime.Keepalive; {
	case k <= 0:
		return []Advice{advise(RuleLimits, file, nil, key, hint,
			"is off, and Azure's load balancer closes a stream that is silent for %d s", int(silence.Seconds()))}
	case k >= silence:
		return []Advice{advise(RuleLimits, file, nil, key, hint,
			"is %d, and Azure's load balancer closes a stream that is silent for %d s", int(k.Seconds()), int(silence.Seconds()))}
	}
	return nil
}
