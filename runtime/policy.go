package mcpfunc

import (
	"net/http"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/policy"
)

// policyOf returns what callers of a server see and may use; nil for everything.
func (a *App) policyOf(spec Server) *policy.Policy {
	rules := func(r config.AccessRules) policy.Rules {
		to := policy.Rules{Allow: r.Allow, Deny: r.Deny}
		for _, need := range r.Require {
			to.Require = append(to.Require, policy.Requirement(need))
		}
		return to
	}
	o := policy.Options{
		Tools: rules(spec.access.Tools), Prompts: rules(spec.access.Prompts), Resources: rules(spec.access.Resources),
		Pins: spec.pins,
	}
	switch {
	case spec.access.Pin == config.PinEnforce:
		o.Pin = policy.PinEnforce
	case spec.access.Pin != config.PinOff && spec.pins != nil:
		o.Pin = policy.PinWarn
	}
	o.Report = func(d policy.Drift) {
		text := "tool differs from what was packed"
		if d.New {
			text = "tool was not there when the server was packed"
		}
		if o.Pin == policy.PinEnforce {
			text += ": it is not served"
		}
		a.log.Warn(text, "server", spec.Name, "tool", d.Tool, "digest", d.Is, "hint", "mcpfunc pack shows what changed")
	}
	return policy.New(o)
}

// forbid says what to answer to a message whose caller lacks something for it, or nil.
func (s *server) forbid(caller any, m *message.Message) http.Handler {
	id := caller.(*identity)
	who := id.newest.Load()
	lack := s.policy.Lacks(m, grants{id.guard, who})
	if lack == nil {
		return nil
	}
	var answer *authn.Error
	switch {
	case lack.Forever():
		answer = authn.NotAllowed("This user may not use the " + lack.What + " " + lack.Name)
		id.app.log.Info("use refused", "server", s.spec.Name, lack.What, lack.Name, "roles", lack.Roles, "groups", lack.Groups)
		if len(lack.Groups) > 0 && who.GroupsElsewhere() {
			id.app.log.Warn("token omits the user's groups because there are too many: what requires a group is refused",
				"server", s.spec.Name, "hint", "let the app registration emit only groups assigned to the application, or require roles")
		}
	default:
		answer = id.guard.StepUp(who, lack.Scopes)
		id.app.log.Info("use refused", "server", s.spec.Name, lack.What, lack.Name, "scopes", strings.Join(lack.Scopes, " "))
	}
	return answer
}

// grants are the scopes, roles, and groups of a caller.
type grants struct {
	guard authn.Guard
	*authn.Caller
}

func (g grants) Scope(name string) bool { return len(g.guard.Missing(g.Caller, []string{name})) == 0 }
func (g grants) Role(name string) bool  { return g.Has(authn.ClaimRoles, name) }
func (g grants) Group(name string) bool { return g.Has(authn.ClaimGroups, name) }
