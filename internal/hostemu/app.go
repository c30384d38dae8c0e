package hostemu

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/hostjson"
)

// An App is a project as the host reads it. It does not change once loaded.
type App struct {
	Dir         string // absolute
	Profile     string // configurationProfile; empty for the default one
	RoutePrefix string // "api" unless host.json says otherwise
	Functions   []Function
	Dropped     []Dropped // functions that the host leaves out

	// Fault is why the host cannot run the app at all: it is in the state "Error" then, starts no
	// handler and answers 503 to everything but the paths below /admin/host.
	Fault error

	FunctionTimeout time.Duration // negative means none
	InitTimeout     time.Duration // to the handler's first answer

	mode    mode
	handler command
	port    int // fixed by customHandler.port; zero means any
	maxBody int64
	env     []string   // the host's environment, local.settings.json included
	routed  []Function // those with an HTTP trigger, in the order in which they are asked
}

// A mode is how an HTTP request reaches the handler (Azure Functions custom handlers, "HTTP-only
// function"). It is for functions of one httpTrigger and one http output; all others get envelopes.
type mode int

const (
	envelopes  mode = iota // POST /FunctionName with JSON, the default
	forwarding             // enableForwardingHttpRequest: the request itself, buffered
	proxying               // enableProxyingHttpRequest: the request itself, streamed
)

// Load reads the project in dir with env as the host's environment: host.json, local.settings.json
// and each function.json. An error names the file and the key. What the host tolerates is not an error: see
// App.Dropped and App.Fault.
func Load(dir string, env []string) (*App, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if env, err = localSettings(dir, env); err != nil {
		return nil, err
	}
	s, err := readSettings(dir, env)
	if err != nil {
		return nil, err
	}
	app := &App{Dir: dir, env: env}
	if app.Profile, err = applyProfile(s); err != nil {
		return nil, err
	}
	if err := app.configure(s); err != nil {
		return nil, err
	}
	if app.Functions, app.Dropped, err = readFunctions(dir, env); err != nil {
		return nil, err
	}
	if err := app.addRoutes(s); err != nil {
		return nil, err
	}
	app.Fault = app.route()
	return app, nil
}

// readSettings reads host.json and lets the environment override it.
func readSettings(dir string, env []string) (settings, error) {
	s := settings{}
	var file map[string]any
	if err := readJSON(dir, "host.json", &file); err != nil {
		return nil, err
	}
	hostjson.Flatten(s, "", file)
	hostjson.Override(s, env)
	switch v := s.text("version"); v {
	case "2.0":
		return s, nil
	case "":
		return nil, keyError("version", `is missing; it must be "2.0"`)
	default:
		return nil, keyError("version", `must be "2.0", not %q`, v)
	}
}

// applyProfile fills in what configurationProfile stands for. The host's custom-handler profiles set
// defaults only: the key level for one stays "function".
func applyProfile(s settings) (string, error) {
	const key = "configurationProfile"
	switch profile := strings.ToLower(s.text(key)); profile {
	case "", "default":
		return "", nil
	case "mcp-custom-handler", "web-app-custom-handler":
		s.missing("customHandler:enableProxyingHttpRequest", "true")
		s.missing("extensions:http:routePrefix", "")
		s.missing("customHandler:http:routes:0:route", "{*route}")
		return profile, nil
	default:
		return "", keyError(key, `must be "mcp-custom-handler", "web-app-custom-handler" or "default", not %q`, s.text(key))
	}
}

// configure reads all of host.json but the routes.
func (a *App) configure(s settings) error {
	var err error
	if a.handler, err = readCommand(s, a.Dir); err != nil {
		return err
	}
	forward, err := s.boolean("customHandler:enableForwardingHttpRequest")
	if err != nil {
		return err
	}
	proxy, err := s.boolean("customHandler:enableProxyingHttpRequest")
	if err != nil {
		return err
	}
	switch {
	case proxy:
		a.mode = proxying
	case forward:
		a.mode = forwarding
	}
	if text := s.text("customHandler:port"); text != "" {
		if a.port, err = strconv.Atoi(text); err != nil || a.port < 1 || a.port > 65535 {
			return keyError("customHandler:port", "must be a port number, not %q", text)
		}
	}
	if a.InitTimeout, err = s.duration("customHandler:initializationTimeout", defaultInit); err != nil {
		return err
	}
	if a.FunctionTimeout, err = s.duration("functionTimeout", defaultFunction); err != nil {
		return err
	}
	s.missing("extensions:http:routePrefix", "api")
	a.RoutePrefix = strings.Trim(s.text("extensions:http:routePrefix"), "/")

	const limit = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
	a.maxBody = defaultMaxBody
	if text, ok := lookup(a.env, limit); ok {
		if a.maxBody, err = strconv.ParseInt(text, 10, 64); err != nil || a.maxBody < 0 {
			return fmt.Errorf("environment: %q must be a number of bytes, not %q", limit, text)
		}
	}
	return nil
}

// addRoutes turns customHandler.http.routes into functions (HttpWorkerFunctionProvider.cs). They and
// function.json exclude each other.
func (a *App) addRoutes(s settings) error {
	const routes = "customHandler:http:routes"
	elements := s.elements(routes)
	if len(elements) == 0 {
		return nil
	}
	var others []string
	for _, f := range a.Functions {
		others = append(others, f.Name)
	}
	for _, d := range a.Dropped {
		others = append(others, d.Name)
	}
	if len(others) > 0 {
		return fmt.Errorf("host.json: customHandler.http.routes (which configurationProfile sets too) and %s/function.json exclude each other", others[0])
	}
	if name, ok := lookup(a.env, "FUNCTIONS_WORKER_RUNTIME"); ok && a.Profile == "" && !strings.EqualFold(name, "custom") {
		return keyError(routes, "is only allowed with FUNCTIONS_WORKER_RUNTIME custom or a configurationProfile, not with %s", name)
	}
	s.missing("customHandler:http:defaultAuthorizationLevel", string(levelFunction))
	for i, element := range elements {
		key := routes + ":" + element
		s.missing(key+":authorizationLevel", s.text("customHandler:http:defaultAuthorizationLevel"))
		level, err := parseLevel(s.text(key + ":authorizationLevel"))
		if err != nil {
			return keyError(key+":authorizationLevel", "%w", err)
		}
		a.Functions = append(a.Functions, Function{
			Name:      "http-handler" + strconv.Itoa(i+1),
			Trigger:   "httpTrigger",
			Methods:   []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"},
			Route:     s.text(key + ":route"),
			AuthLevel: string(level),
			input:     "req",
			output:    "res",
			simple:    true,
			source:    "host.json",
		})
	}
	return nil
}

// route puts the prefix before the functions' routes. An error is one template that cannot be parsed,
// for which the host does not start.
func (a *App) route() error {
	for i := range a.Functions {
		f := &a.Functions[i]
		if f.Trigger != "httpTrigger" {
			continue
		}
		text := f.Route
		if a.RoutePrefix != "" {
			text = a.RoutePrefix + "/" + f.Route
		}
		f.Route = strings.Trim(strings.TrimPrefix(text, "~"), "/")
		var err error
		if f.template, err = parseTemplate(text); err != nil {
			return fmt.Errorf("%s: route %q: %w", f.source, text, err)
		}
		a.routed = append(a.routed, *f)
	}
	slices.SortStableFunc(a.routed, func(f, g Function) int { return compareNames(f.Name, g.Name) })
	return nil
}

// Streams reports whether requests reach the handler as they are and answers leave it piece by piece.
// Otherwise the host buffers both, and no stream of events works.
func (a *App) Streams() bool { return a.mode == proxying }

// MaxBody is the size of the largest request body that the host takes, in bytes.
func (a *App) MaxBody() int64 { return a.maxBody }

// Executable is customHandler.description.defaultExecutablePath as it is written.
func (a *App) Executable() string { return a.handler.executable }

// function returns the function of that name, in any case.
func (a *App) function(name string) (Function, error) {
	for _, f := range a.Functions {
		if strings.EqualFold(f.Name, name) {
			return f, nil
		}
	}
	if len(a.Functions) == 0 {
		return Function{}, errors.New("the app has no functions")
	}
	return Function{}, fmt.Errorf("the app has no function %q", name)
}
