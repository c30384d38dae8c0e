package hostemu

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/hostjson"
)

const description = `"description":{"defaultExecutablePath":"handler"}`

func TestLoadReadsWhatTheSamplesWrite(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files map[string]string
		env   []string
		want  App
		mode  mode
		port  int
	}{
		"the profile of Microsoft's MCP samples": {
			files: map[string]string{"host.json": `{ "version":"2.0", "configurationProfile":"mcp-custom-handler",
				"customHandler":{ "description":{"defaultExecutablePath":"python","arguments":["weather.py"]},
					"http":{"DefaultAuthorizationLevel":"anonymous"}, "port":"8000" } }`},
			want: App{
				Profile: "mcp-custom-handler", FunctionTimeout: 30 * time.Minute, InitTimeout: 30 * time.Second,
				Functions: []Function{{Name: "http-handler1", Trigger: "httpTrigger", Route: "{*route}", AuthLevel: "anonymous",
					Methods: []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"}}},
			},
			mode: proxying, port: 8000,
		},
		"func init with comments, any case, a byte order mark": {
			files: map[string]string{
				"host.json": "\ufeff" + `{ // from func init
					"Version": "2.0",
					"logging": {"applicationInsights":{"samplingSettings":{"isEnabled":true,"excludedTypes":"Request"}}},
					"extensionBundle": {"id":"Microsoft.Azure.Functions.ExtensionBundle","version":"[4.*, 5.0.0)"},
					"CUSTOMHANDLER": {"Description":{"DefaultExecutablePath":"handler","workingDirectory":"","arguments":[]}, /* older */
						"EnableForwardingHttpRequest": "True", "initializationTimeout":"00:01:00",},
					"functionTimeout": "-1" }`,
				"mcp/function.json": `{"bindings":[
					{"authLevel":"ANONYMOUS","type":"httpTrigger","direction":"in","name":"req","methods":["get","post"],"route":"mcp/{*path}"},
					{"type":"http","direction":"out","name":"res"}]}`,
				"sweep/function.json": timerFunction,
				"notes/readme.txt":    "no function",
			},
			want: App{
				RoutePrefix: "api", FunctionTimeout: -24 * time.Hour, InitTimeout: time.Minute,
				Functions: []Function{
					{Name: "mcp", Trigger: "httpTrigger", Route: "api/mcp/{*path}", AuthLevel: "anonymous", Methods: []string{"GET", "POST"}},
					{Name: "sweep", Trigger: "timerTrigger"},
				},
			},
			mode: forwarding,
		},
		"the environment over host.json, the real one over local.settings.json": {
			files: map[string]string{
				"host.json": `{"version":"2.0","customHandler":{` + description + `,"port":1,"enableForwardingHttpRequest":true}}`,
				"local.settings.json": `{"IsEncrypted":false,"Values":{"AzureFunctionsJobHost__customHandler__port":"2",
					"AzureFunctionsJobHost__functionTimeout":"00:02:00", "AzureWebJobs.one.Disabled": true}}`,
				"one/function.json": `{"bindings":[{"type":"httpTrigger","name":"req"},{"type":"http","direction":"out","name":"res"}]}`,
			},
			env: []string{"azurefunctionsjobhost__CUSTOMHANDLER__PORT=3", "AzureFunctionsJobHost__customHandler__enableProxyingHttpRequest=true"},
			want: App{
				RoutePrefix: "api", FunctionTimeout: 2 * time.Minute, InitTimeout: 30 * time.Second,
				Functions: []Function{{Name: "one", Trigger: "httpTrigger", Route: "api/one", AuthLevel: "function"}},
			},
			mode: proxying, port: 3,
		},
		"routes of the file win over the profile's": {
			files: map[string]string{"host.json": `{"version":"2.0","configurationProfile":"web-app-custom-handler",
				"extensions":{"http":{"routePrefix":"x"}},
				"customHandler":{` + description + `,"enableProxyingHttpRequest":false,
					"http":{"routes":[{"route":"a/{b}"},{"route":"c","authorizationLevel":"admin"}]}}}`},
			want: App{
				Profile: "web-app-custom-handler", RoutePrefix: "x", FunctionTimeout: 30 * time.Minute, InitTimeout: 30 * time.Second,
				Functions: []Function{
					{Name: "http-handler1", Trigger: "httpTrigger", Route: "x/a/{b}", AuthLevel: "function", Methods: allMethods()},
					{Name: "http-handler2", Trigger: "httpTrigger", Route: "x/c", AuthLevel: "admin", Methods: allMethods()},
				},
			},
			mode: envelopes,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.want.Dir = project(t, test.files)
			got, err := Load(test.want.Dir, test.env)
			if err != nil {
				t.Fatal(err)
			}
			exported := cmp.FilterPath(func(p cmp.Path) bool {
				field, ok := p.Last().(cmp.StructField)
				return ok && strings.ToLower(field.Name()[:1]) == field.Name()[:1]
			}, cmp.Ignore())
			if diff := cmp.Diff(test.want, *got, exported); diff != "" {
				t.Error(diff)
			}
			if got.mode != test.mode || got.port != test.port {
				t.Errorf("mode %d, port %d; want %d, %d", got.mode, got.port, test.mode, test.port)
			}
		})
	}
}

func allMethods() []string {
	return []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"}
}

func TestLoadNamesFileAndKey(t *testing.T) {
	t.Parallel()
	host := func(members string) map[string]string {
		return map[string]string{"host.json": `{"version":"2.0","customHandler":{` + description + members + `}}`}
	}
	tests := map[string]struct {
		files map[string]string
		env   []string
		want  string
	}{
		"no host.json":       {map[string]string{}, nil, "read host.json: no such file or directory"},
		"broken JSON":        {map[string]string{"host.json": "{\n\"version\" 2"}, nil, "host.json: line 2, column 11"},
		"a list":             {map[string]string{"host.json": "[]"}, nil, "host.json: line 1: must be an object, not a array"},
		"no version":         {map[string]string{"host.json": "{}"}, nil, `host.json: "version" is missing; it must be "2.0"`},
		"old version":        {map[string]string{"host.json": `{"version":"1.0"}`}, nil, `host.json: "version" must be "2.0", not "1.0"`},
		"no description":     {map[string]string{"host.json": `{"version":"2.0"}`}, nil, `host.json: "customHandler.description" is missing`},
		"empty executable":   {map[string]string{"host.json": `{"version":"2.0","customHandler":{"description":{"arguments":["x"]}}}`}, nil, `"customHandler.description.defaultExecutablePath" must not be empty`},
		"profile":            {map[string]string{"host.json": `{"version":"2.0","configurationProfile":"mcp"}`}, nil, `host.json: "configurationProfile" must be "mcp-custom-handler"`},
		"profile by setting": {host(""), []string{"AzureFunctionsJobHost__configurationProfile=x"}, `"configurationProfile" must be`},
		"port":               {host(`,"port":"http"`), nil, `host.json: "customHandler.port" must be a port number, not "http"`},
		"flag":               {host(`,"enableProxyingHttpRequest":"yes"`), nil, `"customHandler.enableProxyingHttpRequest" must be true or false, not "yes"`},
		"timeout":            {host(`,"initializationTimeout":"30s"`), nil, `"customHandler.initializationTimeout" must be a time like 00:30:00, not "30s"`},
		"route level":        {host(`,"http":{"routes":[{"route":"a","authorizationLevel":"user"}]}`), nil, `"customHandler.http.routes.0.authorizationLevel" must be "anonymous"`},
		"routes, other runtime": {host(`,"http":{"routes":[{"route":"a"}]}`), []string{"FUNCTIONS_WORKER_RUNTIME=node"},
			`"customHandler.http.routes" is only allowed with FUNCTIONS_WORKER_RUNTIME custom`},
		"body limit":   {host(""), []string{"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT=1MB"}, `"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT" must be a number of bytes`},
		"encrypted":    {map[string]string{"local.settings.json": `{"IsEncrypted":true}`}, nil, "local.settings.json: encrypted settings cannot be read here"},
		"nested value": {map[string]string{"local.settings.json": `{"Values":{"a":{}}}`}, nil, `local.settings.json: "Values.a" must be a string`},
		"functions and profile": {map[string]string{
			"host.json":         `{"version":"2.0","configurationProfile":"mcp-custom-handler","customHandler":{` + description + `}}`,
			"one/function.json": timerFunction,
		}, nil, "customHandler.http.routes (which configurationProfile sets too) and one/function.json exclude each other"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(project(t, test.files), test.env)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestFunctionsInErrorAreLeftOutAndTheOthersRun(t *testing.T) {
	t.Parallel()
	http := func(more string) string {
		return `{"bindings":[{"type":"httpTrigger","direction":"in","name":"r"` + more + `},{"type":"http","direction":"out","name":"res"}]}`
	}
	tests := map[string]struct{ folder, text, want string }{
		"broken JSON":         {"one", `{`, "one/function.json: line 1"},
		"no trigger":          {"one", `{"bindings":[]}`, `one/function.json: "bindings" has no trigger`},
		"no type":             {"one", `{"bindings":[{"name":"req"}]}`, `"bindings.0.type" is missing`},
		"no name":             {"one", `{"bindings":[{"type":"httpTrigger"}]}`, `"bindings.0.name" is missing`},
		"direction":           {"one", `{"bindings":[{"type":"httpTrigger","name":"r","direction":"up"}]}`, `"bindings.0.direction" must be "in" or "out", not "up"`},
		"output without one":  {"one", `{"bindings":[{"type":"httpTrigger","name":"r"},{"type":"http","name":"res"}]}`, `"bindings.1.direction" must be "out"`},
		"two triggers":        {"one", `{"bindings":[{"type":"httpTrigger","name":"r"},{"type":"timerTrigger","name":"t"}]}`, `"bindings.1" is a second trigger`},
		"unknown trigger":     {"one", `{"bindings":[{"type":"fooTrigger","name":"r"}]}`, `unknown trigger "fooTrigger"`},
		"level":               {"one", http(`,"authLevel":"none"`), `one/function.json: "authLevel" must be "anonymous"`},
		"methods":             {"one", http(`,"methods":"get"`), `one/function.json: line 1: "bindings.methods" must not be a string`},
		"a number for a name": {"1st", timerFunction, `invalid function name "1st"`},
		"the name host":       {"Host", timerFunction, `invalid function name "Host"`},
		"an own route":        {"one", http(`,"route":"/adminx"`), `route "/adminx" begins with "admin"`},
		"an own name":         {"runtimes", http(""), `route "runtimes" begins with`},
		"a route twice":       {"other2", http(`,"route":"Other"`), `route "Other" is that of function "other" too`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, err := Load(project(t, map[string]string{
				"host.json":                    hostJSON(""),
				"other/function.json":          http(""),
				test.folder + "/function.json": test.text,
			}), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(app.Functions) != 1 || app.Functions[0].Name != "other" || app.Fault != nil {
				t.Errorf("functions %+v, fault %v", app.Functions, app.Fault)
			}
			if len(app.Dropped) != 1 || app.Dropped[0].Name != test.folder || !strings.Contains(app.Dropped[0].Err.Error(), test.want) {
				t.Errorf("left out: %v, want %s", app.Dropped, test.want)
			}
		})
	}
}

func TestOneRouteForOtherMethodsIsNoConflict(t *testing.T) {
	t.Parallel()
	function := func(methods string) string {
		return strings.Replace(proxyFunction, `"route"`, `"methods":[`+methods+`],"route"`, 1)
	}
	app, err := Load(project(t, map[string]string{
		"host.json": hostJSON(""), "a/function.json": function(`"get"`), "b/function.json": function(`"post","GET"`), "c/function.json": function(`"put"`),
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(app.Functions) != 2 || app.Functions[1].Name != "c" || len(app.Dropped) != 1 || app.Dropped[0].Name != "b" {
		t.Errorf("functions %+v, left out %v", app.Functions, app.Dropped)
	}
}

func TestOnlySettingsDisableAFunction(t *testing.T) {
	t.Parallel()
	files := map[string]string{"host.json": hostJSON("")}
	for _, name := range []string{"a", "b", "c", "d"} {
		files[name+"/function.json"] = strings.Replace(timerFunction, `{`, `{"disabled":true,`, 1)
	}
	app, err := Load(project(t, files), []string{"AzureWebJobs.a.Disabled=True", "AzureWebJobs_b_Disabled=1", "AzureWebJobs.c.Disabled=yes"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false, false} {
		if f := app.Functions[i]; f.disabled != want {
			t.Errorf("%s: disabled is %v", f.Name, f.disabled)
		}
	}
}

func TestTimeSpansAreReadAsDotNETReadsThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"00:05:00": 5 * time.Minute, "1.02:03:04.5": 26*time.Hour + 3*time.Minute + 4500*time.Millisecond,
		"10:00": 10 * time.Hour, "2": 48 * time.Hour, "-00:00:01": -time.Second,
	} {
		if got, err := parseTimeSpan(text); got != want || err != nil {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5m", "25:00:00", "00:60:00", "999999.00:00:00", "1:2:3:4"} {
		if got, err := parseTimeSpan(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestCommandLineIsJoinedAndSplitAgain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line string
		want []string
	}{
		{"", nil},
		{"  a  b\tc ", []string{"a", "b", "c"}},
		{`"a b" c"d e"f`, []string{"a b", "cd ef"}},
		{`"" x`, []string{"", "x"}},
		{`"say ""hi"""`, []string{`say "hi"`}},
		{`a\b \\x c\"d`, []string{`a\b`, `\\x`, `c"d`}},
		{`"a\\" b`, []string{`a\`, "b"}},
		{`"a\\\"" b\`, []string{`a\"`, `b\`}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, splitArguments(test.line)); diff != "" {
			t.Errorf("%s: %s", test.line, diff)
		}
	}
}

func TestCommandExpandsTheEnvironment(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"bin/run": "", "tools/other": ""})
	if err := os.Chmod(filepath.Join(dir, "tools", "other"), 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"NAME=run", "PORT=1", "PORT=2", "PATH=" + filepath.Join(dir, "tools")}
	s := settings{}
	hostjson.Flatten(s, "customHandler:description", map[string]any{
		"defaultExecutablePath": "bin/%NAME%", "defaultWorkerPath": "my script.py",
		"arguments": []any{"--port=%PORT%", "%NONE%x", "two words", `"one word"`}, "workerArguments": []any{"last"},
		"workingDirectory": "bin",
	})
	c, err := readCommand(s, dir)
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := c.build(env)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "bin/run"), "--port=2", "x", "two", "words", "one word", "my script.py", "last"}
	if diff := cmp.Diff(want, cmd.Args); diff != "" {
		t.Error(diff)
	}
	if want := filepath.Join(dir, "bin"); cmd.Dir != want {
		t.Errorf("directory %s, want %s", cmd.Dir, want)
	}

	s["customhandler:description:arguments"] = `["a", "b"]` // by app setting
	s["customhandler:description:defaultexecutablepath"] = "other"
	if c, err = readCommand(s, dir); err != nil {
		t.Fatal(err)
	}
	if cmd, err = c.build(env); err != nil {
		t.Fatal(err)
	}
	want = []string{filepath.Join(dir, "tools", "other"), "a", "b", "my script.py", "last"}
	if diff := cmp.Diff(want, cmd.Args); diff != "" {
		t.Error(diff)
	}

	s["customhandler:description:defaultexecutablepath"] = "nowhere"
	if c, err = readCommand(s, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := c.build(env); err == nil || !strings.Contains(err.Error(), `"nowhere" is neither a file below`) {
		t.Errorf("got %v", err)
	}
}
