package generator

import (
	"bytes"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/tools/txtar"
)

// The schema knows the profile, but not yet customHandler.http.routes, which are held to what the host
// binds them to (HttpWorkerRoute: route and authorizationLevel).
func TestHostFileMatchesItsSchema(t *testing.T) {
	t.Parallel()
	host := schema(t, "host.schema.json")
	eachStory(t, func(t *testing.T, _ *txtar.Archive, p Project, made *Plan) {
		value := parse(t, file(t, made, "host.json")).(map[string]any)
		if handler := value["customHandler"].(map[string]any); p.Hosting == HostingFlex {
			http := handler["http"].(map[string]any)
			for _, r := range http["routes"].([]any) {
				route := r.(map[string]any)
				if len(route) != 2 || route["route"] == "" || !slices.Contains(levels, AuthLevel(route["authorizationLevel"].(string))) {
					t.Errorf("route %v", route)
				}
			}
			delete(http, "routes")
		}
		validate(t, host, "host.json", value)
	})
}

// The whole of function.schema.json takes no HTTP function at all: its bindings are "one of" a list
// in which the SQL binding excludes no other type, so every HTTP binding matches two. Each binding is
// checked against the two definitions that are meant for it.
func TestFunctionsMatchTheirSchema(t *testing.T) {
	t.Parallel()
	base := schema(t, "function.schema.json#/definitions/bindingBase")
	http := schema(t, "function.schema.json#/definitions/httpBinding")
	eachStory(t, func(t *testing.T, _ *txtar.Archive, p Project, made *Plan) {
		for _, f := range p.functions() {
			if p.Hosting == HostingFlex {
				if made.holds(f.path()) {
					t.Errorf("%s is planned, and the host refuses it beside routes", f.path())
				}
				continue
			}
			value := parse(t, file(t, made, f.path())).(map[string]any)
			bindings := value["bindings"].([]any)
			if len(bindings) != 2 {
				t.Errorf("%s has %d bindings; the host proxies one trigger with one output only", f.path(), len(bindings))
			}
			for _, b := range bindings {
				validate(t, base, f.path(), b)
				validate(t, http, f.path(), b)
			}
		}
	})
}

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("../testdata/schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(t *testing.T, text string) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

func validate(t *testing.T, s *jsonschema.Schema, path string, value any) {
	t.Helper()
	if err := s.Validate(value); err != nil {
		t.Errorf("%s: %v", path, err)
	}
}
