package authn

import (
	"errors"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// scopes returns what a token grants: scope, a string (RFC 9068, section 2.2.3), and scp, a string
// with Entra and Okta or a list with others.
func (c claims) scopes() ([]string, error) {
	var granted []string
	for _, name := range []string{"scope", "scp"} {
		switch v := c[name].(type) {
		case nil:
		case string:
			for scope := range strings.SplitSeq(v, " ") { // alone: RFC 6749, section 3.3
				if scope != "" {
					granted = append(granted, scope)
				}
			}
		case []any:
			list, err := stringsOf(name, v)
			if err != nil {
				return nil, err
			}
			granted = append(granted, list...)
		default:
			return nil, errors.New(name + " is neither a string nor a list")
		}
	}
	for _, s := range granted {
		if !config.IsScope(s) {
			return nil, errors.New("a scope with a character that is not permitted")
		}
	}
	return union(granted), nil
}

// missingScopes returns those of required that are not granted, neither by name, which counts
// exactly, nor as what a granted scope implies, over any number of steps.
func missingScopes(required, granted []string, implies map[string][]string) []string {
	has := make(map[string]bool)
	pending := slices.Clone(granted)
	for len(pending) > 0 {
		s := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if !has[s] {
			has[s] = true
			pending = append(pending, implies[s]...)
		}
	}
	var missing []string
	for _, s := range required {
		if !has[s] {
			missing = append(missing, s)
		}
	}
	return missing
}
