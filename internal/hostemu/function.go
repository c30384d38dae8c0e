package hostemu

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Function is one function of the app.
type Function struct {
	Name      string
	Trigger   string   // the trigger's type: "httpTrigger", "timerTrigger" …
	Methods   []string // in capitals; nil means every method, an empty list none
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

// A Dropped function is one that the host leaves out. It logs the reason, and runs the others.
type Dropped struct {
	Name string
	Err  error // names the file
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
	Type      string    `json:"type"`
	Direction string    `json:"direction"`
	Name      string    `json:"name"`
	AuthLevel *string   `json:"authLevel"`
	Methods   *[]string `json:"methods"`
	Route     string    `json:"route"`
}

// is reports whether the binding has a type, in any case.
func (b binding) is(kind string) bool { return strings.EqualFold(b.Type, kind) }

// Names that the host takes, but for "host".
var functionName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_\-]{0,127}$`)

// triggerTypes are the triggers of the host and of Microsoft's extension bundle, in small letters. A
// function of another one is left out.
func triggerTypes() []string {
	return []string{
		"httptrigger", "timertrigger",
		"blobtrigger", "cosmosdbtrigger", "daprbindingtrigger", "daprserviceinvocationtrigger", "daprtopictrigger", "eventgridtrigger",
		"eventhubtrigger", "kafkatrigger", "mcptooltrigger", "mcpresourcetrigger", "mcpprompttrigger", "mysqltrigger", "queuetrigger", "rabbitmqtrigger",
		"redislisttrigger", "redispubsubtrigger", "redisstreamtrigger", "sendgridtrigger", "servicebustrigger", "signalrtrigger", "sqltrigger",
		"webpubsubtrigger", "orchestrationtrigger", "activitytrigger", "entitytrigger", "assistantskilltrigger", "manualtrigger", "warmuptrigger",
	}
}

// compareNames orders functions as the host asks them: OrdinalIgnoreCase.
func compareNames(a, b string) int { return cmp.Compare(strings.ToUpper(a), strings.ToUpper(b)) }

// readFunctions reads the function.json in each folder of dir, in the order in which the host asks
// the functions, and says which of them it leaves out.
func readFunctions(dir string, env []string) (functions []Function, dropped []Dropped, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int { return compareNames(a.Name(), b.Name()) })
	for _, entry := range entries {
		file := filepath.Join(entry.Name(), "function.json")
		if !isFile(filepath.Join(dir, file)) {
			continue
		}
		file = filepath.ToSlash(file)
		f, err := readFunction(dir, entry.Name(), file)
		if err == nil {
			err = f.conflict(functions)
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), file) && !strings.HasPrefix(err.Error(), "read "+file) {
				err = fmt.Errorf("%s: %w", file, err)
			}
			dropped = append(dropped, Dropped{entry.Name(), err})
			continue
		}
		f.disabled = isDisabled(f.Name, env)
		functions = append(functions, f)
	}
	return functions, dropped, nil
}

// isDisabled asks the app settings. What function.json says of it counts for nothing.
func isDisabled(name string, env []string) bool {
	for _, setting := range []string{"AzureWebJobs." + name + ".Disabled", "AzureWebJobs_" + name + "_Disabled"} {
		if v, ok := lookup(env, setting); ok {
			return strings.EqualFold(strings.TrimSpace(v), "true") || v == "1"
		}
	}
	return false
}

// readFunction reads one function.json. An error is a reason to leave the function out.
func readFunction(dir, name, file string) (Function, error) {
	if !functionName.MatchString(name) || strings.EqualFold(name, "host") {
		return Function{}, fmt.Errorf(`invalid function name %q: want at most 128 letters, digits, "-" and "_", beginning with a letter, and not "host"`, name)
	}
	var metadata struct {
		Bindings []binding `json:"bindings"`
	}
	if err := readJSON(dir, file, &metadata); err != nil {
		return Function{}, err
	}
	f := Function{Name: name, source: file}
	var ins, outs int
	var trigger *binding
	for i := range metadata.Bindings {
		b := &metadata.Bindings[i]
		key := fmt.Sprintf("bindings.%d", i)
		out := strings.EqualFold(b.Direction, "out")
		switch {
		case b.Type == "":
			return Function{}, fmt.Errorf("%q is missing", key+".type")
		case b.Name == "":
			return Function{}, fmt.Errorf("%q is missing", key+".name")
		case b.Direction != "" && !out && !strings.EqualFold(b.Direction, "in") && !strings.EqualFold(b.Direction, "inout"):
			return Function{}, fmt.Errorf(`%q must be "in" or "out", not %q`, key+".direction", b.Direction)
		case b.is("http") && !out:
			return Function{}, fmt.Errorf(`%q must be "out" for "http"`, key+".direction")
		case out:
			outs++
			if b.is("http") {
				f.output = b.Name
			}
		default:
			ins++
			if !strings.HasSuffix(strings.ToLower(b.Type), "trigger") {
				continue
			}
			if trigger != nil {
				return Function{}, fmt.Errorf("%q is a second trigger", key)
			}
			trigger = b
		}
	}
	if trigger == nil {
		return Function{}, errors.New(`"bindings" has no trigger`)
	}
	if !slices.Contains(triggerTypes(), strings.ToLower(trigger.Type)) {
		return Function{}, fmt.Errorf("unknown trigger %q", trigger.Type)
	}
	f.Trigger, f.input = trigger.Type, trigger.Name
	if trigger.is("httpTrigger") {
		f.Trigger = "httpTrigger"
		f.simple = ins == 1 && outs == 1 && f.output != ""
		return f, f.readHTTP(*trigger)
	}
	return f, nil
}

// readHTTP reads what an httpTrigger has beyond other triggers.
func (f *Function) readHTTP(trigger binding) error {
	f.Route = cmp.Or(trigger.Route, f.Name)
	start := strings.ToLower(strings.Trim(f.Route, "/"))
	if strings.HasPrefix(start, "admin") || strings.HasPrefix(start, "runtime") {
		return fmt.Errorf(`route %q begins with "admin" or "runtime", which the host reserves`, f.Route)
	}
	if trigger.Methods != nil {
		f.Methods = []string{}
		for _, m := range *trigger.Methods {
			f.Methods = append(f.Methods, strings.ToUpper(m))
		}
	}
	f.AuthLevel = string(levelFunction)
	if trigger.AuthLevel != nil {
		l, err := parseLevel(*trigger.AuthLevel)
		if err != nil {
			return fmt.Errorf(`"authLevel" %w`, err)
		}
		f.AuthLevel = string(l)
	}
	return nil
}

// conflict reports that a function before has the same route for one of the methods.
func (f Function) conflict(before []Function) error {
	for _, other := range before {
		if f.Route == "" || !strings.EqualFold(strings.Trim(f.Route, "/"), strings.Trim(other.Route, "/")) {
			continue
		}
		if len(f.Methods) == 0 || len(other.Methods) == 0 ||
			slices.ContainsFunc(f.Methods, func(m string) bool { return slices.Contains(other.Methods, m) }) {
			return fmt.Errorf("route %q is that of function %q too", f.Route, other.Name)
		}
	}
	return nil
}
