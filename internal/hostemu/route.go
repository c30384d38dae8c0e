package hostemu

import (
	"slices"
	"strings"
)

// match returns the first function that takes method and a decoded path: they are asked in the order
// of their names, and the templates decide nothing about it. A route whose method does not fit is no
// match, so that the next one is asked, and in the end the answer is 404, never 405.
func (a *App) match(method, path string) (Function, map[string]string, bool) {
	for _, f := range a.routed {
		if f.Methods != nil && !slices.Contains(f.Methods, strings.ToUpper(method)) {
			continue
		}
		if values, ok := f.template.match(path); ok {
			return f, values, true
		}
	}
	return Function{}, nil, false
}

// Match returns the function that a request for a decoded path goes to, whatever key it has.
func (a *App) Match(method, path string) (Function, bool) {
	f, _, ok := a.match(method, path)
	return f, ok
}
