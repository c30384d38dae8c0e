// Package policy decides which tools, prompts and resources of a server callers see and may use.
//
// A [Policy] looks at messages on their way. It refuses a client's message that uses something denied before the
// process sees it, with the error for something that does not exist ([Policy.Refuse]), and reports what a
// caller lacks for a use that requires more than a session ([Policy.Lacks]). It cuts what is denied out of
// lists from the process ([Policy.Sift]), and changes no other byte of them.
//
// A list is the same for every caller: what a caller sees but may not use yet is what they can ask for.
//
// A policy may also hold a server to the tools that it had when it was packed, by digests of what each tool
// tells a model: see [Digest] and [Inventory].
//
// Names are compared as a JSON reader understands them, with escapes undone. A message that two readers could
// understand differently is refused. If a list repeats a member, the policy checks each of the values.
package policy

import (
	"slices"
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Options are what a configuration says of one server.
type Options struct {
	Tools, Prompts, Resources Rules

	Pin    Pin
	Pins   map[string]string // digests of the tools that may be served, by name
	Report func(Drift)       // is told, once, of a tool that differs from its pin; nil for none
}

// Rules are of tools, prompts or resources. A glob matches a whole name, or URI: "*" any characters, and none,
// "?" exactly one.
type Rules struct {
	Allow   []string // globs; nil for everything
	Deny    []string // globs; denied is denied, whatever else is said
	Require []Requirement
}

// A Requirement is what callers must have to use what a glob matches: all of the scopes, one of the roles, and
// one of the groups. Where several globs match, each has to be met.
type Requirement struct {
	Glob   string
	Scopes []string
	Roles  []string
	Groups []string
}

// A Policy is what Options say, ready for messages. It is safe for concurrent use.
type Policy struct {
	kinds [kinds]rules
	pin   Pin
	pins  map[string]string

	report  func(Drift)
	mu      sync.Mutex
	drifted map[Drift]struct{} // that were reported
}

// A kind is of what a server offers.
type kind uint8

const (
	tools kind = iota
	prompts
	resources
	kinds
)

// rules are Rules, and whether there are any.
type rules struct {
	Rules
	active bool
}

// New returns a Policy, or nil where everyone may use everything, and nothing is pinned.
func New(o Options) *Policy {
	p := &Policy{pin: o.Pin, pins: o.Pins, report: o.Report, drifted: map[Drift]struct{}{}}
	needed := o.Pin != PinOff
	deny := slices.Clone(o.Resources.Deny)
	for _, glob := range o.Resources.Deny {
		deny = append(deny, lowerScheme(glob))
	}
	o.Resources.Deny = deny
	for k, r := range [kinds]Rules{o.Tools, o.Prompts, o.Resources} {
		p.kinds[k] = rules{r, r.Allow != nil || len(r.Deny) > 0 || len(r.Require) > 0}
		needed = needed || p.kinds[k].active
	}
	p.kinds[tools].active = p.kinds[tools].active || o.Pin == PinEnforce
	if !needed {
		return nil
	}
	return p
}

// Strict reports whether a message that two readers could understand differently must be refused. p may be nil.
func (p *Policy) Strict() bool {
	return p != nil && slices.ContainsFunc(p.kinds[:], func(r rules) bool { return r.active })
}

// Requires reports whether there is anything that Lacks could find. p may be nil.
func (p *Policy) Requires() bool {
	return p != nil && slices.ContainsFunc(p.kinds[:], func(r rules) bool { return len(r.Require) > 0 })
}

// visible reports whether callers may know of what has this name, or URI.
func (p *Policy) visible(k kind, name string) bool {
	r := &p.kinds[k]
	if !r.active {
		return true
	}
	if k == tools && p.pin == PinEnforce && p.pins[name] == "" {
		return false
	}
	if k != resources {
		return r.visible(name)
	}
	forms, ok := forms(name)
	for _, form := range forms {
		ok = ok && r.visible(form) && !matchesAny(r.Deny, lowerScheme(form))
	}
	return ok
}

func (r *rules) visible(name string) bool {
	return (r.Allow == nil || matchesAny(r.Allow, name)) && !matchesAny(r.Deny, name)
}

// uses calls f with everything that a message of a client uses, as far as there are rules for it, until f
// returns false. It is not ok if that cannot be told: the message names nothing where it has to, or its method
// is one whose effect is unknown.
func (p *Policy) uses(m *message.Message, f func(kind, string) bool) (k kind, ok bool) {
	u := about(m.Envelope().Method())
	k, how := u.kind, u.how
	name, ok := "", true
	switch {
	case how == refers:
		if p.kinds[prompts].active || p.kinds[resources].active {
			references(m, f)
		}
		return k, true
	case how == unrelated || how == lists || !p.kinds[k].active:
		return k, true
	case how == subscribes:
		subscriptions(m, f)
		return k, true
	case how == byName:
		name, ok = m.Name()
	case how == byURI:
		name, ok = m.URI()
	default:
		return k, false
	}
	if ok {
		f(k, name)
	}
	return k, ok
}
