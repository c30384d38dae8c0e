package hostemu

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A Function is one function of the app.
type Function struct {
	Name      string
	Trigger   string   // the trigger's type: "httpTrigger", "timerTrigger" …
	Methods   []string // in capitals; nil means every method
	Route     string   // with the prefix, without a leading slash; empty unless Trigger is "httpTrigger"
	AuthLevel string   // "anonymous", "function" or "admin"; empty like Route
	URL       string   // where a client finds it; empty like Route, and in App.Functions

	input    string // the trigger's name
	output   string // the http output's name; "" without one, "$return" for the return value
	simple   bool   // one httpTrigger in, one http out, nothing else
	disabled bool
	source   string // names the file in errors
	template template
}

// A level is an authLevel.
type level string

const (
	levelAnonymous level = "anonymous"
	levelFunction  level = "function"
	levelAdmin     level = "admin"
)

func parseLevel(text string) (level, error) {
	switch l := level(strings.ToLower(text)); l {
	case levelAnonymous, levelFunction, levelAdmin:
		return l, nil
	}
	return "", fmt.Errorf(`must be "anonymous", "function" or "admin", not %q`, text)
}

// A binding is one element of "bindings", as far as it matters here.
type binding struct {
	Type      string   `json:"type"`
	Direction string   `json:"direction"`
	Name      string   `json:"name"`
	AuthLevel *string  `json:"authLevel"`
	Methods   []string `json:"methods"`
	Route     string   `json:"route"`
}

var functionName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_\-]{0,127}$`)

// readFunctions reads the function.json in each folder of dir, in the order of their names.
func readFunctions(dir string, env []string) ([]Function, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var functions []Function
	for _, entry := range entries {
		file := filepath.Join(entry.Name(), "function.json")
		if !isFile(filepath.Join(dir, file)) {
			continue
		}
		f, err := readFunction(dir, entry.Name(), filepath.ToSlash(file))
		if err != nil {
			return nil, err
		}
		if v, _ := lookup(env, "AzureWebJobs."+f.Name+".Disabled"); strings.EqualFold(v, "true") || v == "1" {
			f.disabled = true
		}
		functions = append(functions, f)
	}
	return functions, nil
}

func readFunction(dir, name, file string) (Function, error) {
	if !functionName.MatchString(name) {
		return Function{}, fmt.Errorf(`%s: folder %q is no function name: letters, digits, "-" and "_", a letter first, at most 128`, file, name)
	}
	var metadata struct {
		Bindings []binding       `json:"bindings"`
		Disabled json.RawMessage `json:"disabled"` // true, or the name of a setting, which counts as false here
	}
	if err := readJSON(dir, file, &metadata); err != nil {
		return Function{}, err
	}
	f := Function{Name: name, source: file, disabled: string(metadata.Disabled) == "true"}
	var ins, outs int
	var trigger *binding
	for i := range metadata.Bindings {
		b := &metadata.Bindings[i]
		key := fmt.Sprintf("bindings.%d", i)
		out := strings.EqualFold(b.Direction, "out")
		switch {
		case b.Type == "":
			return Function{}, fmt.Errorf("%s: %q is missing", file, key+".type")
		case b.Name == "":
			return Function{}, fmt.Errorf("%s: %q is missing", file, key+".name")
		case b.Direction != "" && !out && !strings.EqualFold(b.Direction, "in"):
			return Function{}, fmt.Errorf(`%s: %q must be "in" or "out", not %q`, file, key+".direction", b.Direction)
		case out:
			outs++
			if strings.EqualFold(b.Type, "http") {
				f.output = b.Name
			}
		default:
			ins++
			if !strings.HasSuffix(strings.ToLower(b.Type), "trigger") {
				continue
			}
			if trigger != nil {
				return Function{}, fmt.Errorf("%s: %q is a second trigger", file, key)
			}
			trigger = b
		}
	}
	if trigger == nil {
		return Function{}, fmt.Errorf(`%s: "bindings" has no trigger`, file)
	}
	f.Trigger, f.input = trigger.Type, trigger.Name
	if !strings.EqualFold(trigger.Type, "httpTrigger") {
		return f, nil
	}
	f.Trigger = "httpTrigger"
	f.simple = ins == 1 && outs == 1 && f.output != ""
	f.Route = trigger.Route
	for _, m := range trigger.Methods {
		f.Methods = append(f.Methods, strings.ToUpper(m))
	}
	f.AuthLevel = string(levelFunction)
	if trigger.AuthLevel != nil {
		l, err := parseLevel(*trigger.AuthLevel)
		if err != nil {
			return Function{}, fmt.Errorf(`%s: "authLevel" %w`, file, err)
		}
		f.AuthLevel = string(l)
	}
	return f, nil
}
