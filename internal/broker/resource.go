package broker

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// resources are the scopes of azure_scopes by what they are scopes of.
type resources map[string][]string

// resourcesOf groups scopes. A scope is its resource's App ID URI, a slash, and a name; a scope that
// names no resource cannot be asked for by resource and is left out.
func resourcesOf(scopes []string) resources {
	r := make(resources)
	for _, s := range scopes {
		if i := strings.LastIndexByte(s, '/'); i > 0 {
			key := strings.TrimSuffix(s[:i], "/")
			r[key] = append(r[key], s[i+1:])
		}
	}
	return r
}

// scopes returns what to ask Entra for when a process wants a token for resource, or why it may not
// have one. One slash at the end makes no difference to whether it may, as SDKs and documents
// disagree about it, but is kept: the token's audience is what stands before "/.default", and
// some services insist on theirs.
func (r resources) scopes(resource string) ([]string, error) {
	names := r[strings.TrimSuffix(resource, "/")]
	switch {
	case names == nil:
		return nil, &refusal{http.StatusBadRequest, "invalid_resource", fmt.Sprintf("%.200q is not a resource of azure_scopes", resource)}
	case slices.Contains(names, ".default"):
		return []string{resource + "/.default"}, nil // includes the others, and Entra refuses it beside them
	}
	scopes := make([]string, len(names))
	for i, name := range names {
		scopes[i] = resource + "/" + name
	}
	return scopes, nil
}
