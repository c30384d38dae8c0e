package authn

import (
	"slices"
	"strings"
)

// What a caller may do beyond calling the server: scopes, which another token may have, and roles and groups,
// which come with the user.

// Missing returns those of scopes that the caller's token does not grant.
func (g bearer) Missing(c *Caller, scopes []string) []string { return g.method.missing(c, scopes) }

// StepUp refuses a request for want of scopes, and says how to get a token that has them beside those that
// the caller's has now (MCP 2025-11-25, authorization, "Scope Challenge Handling").
func (g bearer) StepUp(c *Caller, missing []string) *Error {
	e := g.refuse.missingScopes(missing)
	e.Challenge.Scope = g.method.asking(c, missing)
	return e
}

func (g *oauth2) missing(c *Caller, scopes []string) []string {
	return missingScopes(scopes, c.Scopes, g.implies)
}

func (g *oauth2) asking(c *Caller, missing []string) string {
	return advertised(union(g.required, c.Scopes, missing))
}

// missing compares bare names: that is what scp has.
func (g *entra) missing(c *Caller, scopes []string) []string {
	var missing []string
	for _, scope := range scopes {
		if !slices.Contains(c.Scopes, bareScope(scope)) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// asking names scopes in full, as Entra wants them, and without .default, which it refuses beside others.
func (g *entra) asking(c *Caller, missing []string) string {
	var ask []string
	for _, scope := range union(g.required, c.Scopes, missing) {
		ask = append(ask, g.fullScope(scope))
	}
	return strings.Join(ask, " ")
}

// fullScope is a scope as a client has to ask Entra for it.
func (s *entraSettings) fullScope(scope string) string {
	if bareScope(scope) == scope {
		return s.appID + "/" + scope
	}
	return scope
}

// bareScope is a scope of Entra as a token has it.
func bareScope(scope string) string { return scope[strings.LastIndexByte(scope, '/')+1:] }

// union returns what is in the lists, each once, in their order.
func union(lists ...[]string) []string {
	var all []string
	for _, s := range slices.Concat(lists...) {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// Missing returns scopes: no caller has any.
func (open) Missing(_ *Caller, scopes []string) []string { return scopes }

// StepUp refuses a request for which no token could be.
func (open) StepUp(*Caller, []string) *Error {
	return NotAllowed("This needs a token, and callers of this server have none")
}

// The claims that roles and groups are in.
const (
	ClaimRoles  = "roles"
	ClaimGroups = "groups"
)

// Has reports whether a claim of the caller's token has a value: it is that string, or a list with it.
func (c *Caller) Has(claim, value string) bool {
	switch v := c.Claims[claim].(type) {
	case string:
		return v == value
	case []any:
		return slices.Contains(v, any(value))
	}
	return false
}

// GroupsElsewhere reports whether the token says that its user is in too many groups to name: Entra then
// leaves all of them out ("Groups overage claim").
func (c *Caller) GroupsElsewhere() bool {
	names, _ := c.Claims["_claim_names"].(map[string]any)
	_, elsewhere := names[ClaimGroups]
	return elsewhere || c.Claims["hasgroups"] == true || c.Claims["hasgroups"] == "true"
}
