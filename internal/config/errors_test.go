package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sentence is an error with its hint, which must be an *Error.
func sentence(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is not an *Error: %v", err, err)
	}
	if e.Hint != "" {
		return e.Error() + " | " + e.Hint
	}
	return e.Error()
}

func TestBrokenFileIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ data, want string }{
		"empty":        {"", `c.json:1: is empty | a configuration begins with {"mcpServers": {`},
		"blank":        {" \n\t", `c.json:1: is empty | a configuration begins with {"mcpServers": {`},
		"comment only": {"// nothing", `c.json:1: is empty: it contains only comments | a configuration begins with {"mcpServers": {`},
		"large":        {strings.Repeat(" ", 10<<20), `c.json: is larger than 1 MiB, the limit for a configuration`},
		"binary":       {"{\n\x00}", `c.json:2: is not UTF-8 text | this does not seem to be a configuration file`},
		"latin-1":      {"{\"a\":\n\"\xfc\"}", `c.json:2: is not UTF-8 text | this does not seem to be a configuration file`},
		"utf-16":       {"\xff\xfe{\x00}\x00", `c.json:1: is written in UTF-16 | save it as UTF-8`},
		"deep":         {"{\"a\":\n" + strings.Repeat("[", 1<<19), `c.json:2: is nested more than 64 levels deep`},
		"cut off":      {"{\n\"mcpServers\": {\n", `c.json:2: is not JSON: it ends unexpectedly | close the open brace, bracket, quote or comment`},
		"syntax":       {"{\n\"mcpServers\" {}}", `c.json:2: is not JSON: invalid character '{' after object name at column 14`},
		"open quote":   {"{\n\"a\": \"s3cret\n}\"", `c.json:2: is not JSON: invalid string, number or word at column 6 | write a string in double quotes on one line, with \\ for a backslash`},
		"list":         {"[]", `c.json:1: must contain an object, not a list`},
		"no servers":   {"{}", `c.json:1: contains no servers: want "mcpServers", "servers", "mcp.servers" or "mcp.server" | put the servers into {"mcpServers": {...}}`},
		"slip":         {"{\n\"mcpservers\": {}}", `c.json:2: contains no servers: want "mcpServers", "servers", "mcp.servers" or "mcp.server" | write "mcpServers" instead of "mcpservers" on this line`},
		"not servers":  {"{\n\"mcpServers\": []}", `c.json:2: "mcpServers" must be an object, not a list`},
		"two shapes":   {"{\n\"mcpServers\": {},\n\"mcpServers\": {}}", `c.json:3: "mcpServers" is written twice, on lines 2 and 3`},
		"no entry":     {"{\"servers\": {\n\"a\": true}}", `c.json:2: server "a": must be an object, not true or false`},
		"two servers":  {"{\"servers\": {\"a\": {\"command\": \"x\"},\n\"a\": {}}}", `c.json:2: server "a": is written twice, on lines 1 and 2`},
		"two cases":    {"{\"servers\": {\"a\": {\"command\": \"x\"},\n\"A\": {}}}", `c.json:2: server "A": differs from "a" on line 1 only in letter case | rename one of them`},
		"inputs":       {`{"servers": {}, "inputs": {}}`, `c.json:1: "inputs" must be a list of objects, not an object`},
		"input id":     {`{"servers": {}, "inputs": [{}]}`, `c.json:1: "inputs.id" is missing`},
		"input twice":  {`{"servers": {}, "inputs": [{"id": "a"}, {"id": "a"}]}`, `c.json:1: "inputs" contains the id "a" twice`},
	} {
		f, err := Parse("c.json", []byte(test.data), nil)
		if got := sentence(t, err); got != test.want || f != nil {
			t.Errorf("%s:\n got %s\nwant %s", name, got, test.want)
		}
	}
}

func TestBrokenEntryIsNamedWithItsKey(t *testing.T) {
	t.Parallel()
	const c = `"command": "x", `
	const remote = ` | set "disabled": true, or remove the server`
	for entry, want := range map[string]string{
		``:                                                        `"command" is missing`,
		`"comand": "x"`:                                           `"command" is missing | did you mean "command" by "comand"?`,
		`"Command": "x"`:                                          `"command" is missing | did you mean "command" by "Command"?`,
		`"command": null`:                                         `"command" is missing`,
		`"command": " "`:                                          `"command" must not be empty`,
		`"command": "a\u0000"`:                                    `"command" must not contain a NUL character`,
		`"command": ["x"]`:                                        `"command" must be a string, not a list`,
		`"command": "npx -y foo"`:                                 `"command" must be the program alone, because no shell splits it | write "command": "npx", "args": ["-y", "foo"]`,
		c + `"type": "stido"`:                                     `"type" must be "stdio", not "stido" | did you mean "stdio"?`,
		c + `"type": "${T}"`:                                      `"type" must be "stdio", not "${T}"` + remote,
		c + `"args": "a"`:                                         `"args" must be a list of strings, not a string`,
		c + `"args": ["a", 1]`:                                    `"args" must be a list of strings, but contains a number`,
		c + `"env": []`:                                           `"env" must be an object, not a list`,
		c + `"disabledTools": ["drop"]`:                           `"disabledTools" restricts this server in another client; mcpfunc does not support it and does not serve the server | write "tools": {"deny": [...]} with the same names; mcpfunc init --config and add-server --from do`,
		c + `"tools": []`:                                         `"tools" restricts this server in another client; mcpfunc does not support it and does not serve the server | write "tools": {"allow": [...]} with the same names; mcpfunc init --config and add-server --from do`,
		c + `"env": {"A": {}}`:                                    `"env.A" must be a string, a number, true or false, not an object`,
		c + `"env": {"A=B": ""}`:                                  `"env.A=B" is not a valid variable name: it must not be empty or contain "="`,
		c + `"env": {"A": "", "A": ""}`:                           `"env.A" is written twice, on lines 1 and 1`,
		c + `"args": [], "args": []`:                              `"args" is written twice, on lines 1 and 1`,
		c + `"cwd": "a", "working_dir": ""`:                       `"working_dir" must not be empty`,
		c + `"cwd": "a", "working_dir": "b"`:                      `"working_dir" contradicts "cwd" on line 1 | keep one of the two`,
		c + `"timeout_seconds": 0.5`:                              `"timeout_seconds" must be a number of seconds from 1 to 3600`,
		c + `"timeout_seconds": 3601`:                             `"timeout_seconds" must be a number of seconds from 1 to 3600`,
		c + `"timeout_seconds": 1e999`:                            `"timeout_seconds" must be a number of seconds from 1 to 3600`,
		c + `"timeout_seconds": "30"`:                             `"timeout_seconds" must be a number of seconds, not a string`,
		c + `"request_timeout_seconds": -1`:                       `"request_timeout_seconds" must be a number of seconds from 0 to 86400`,
		c + `"max_restarts": -1`:                                  `"max_restarts" must be a whole number from 0 to 100`,
		c + `"max_restarts": 1.5`:                                 `"max_restarts" must be a whole number from 0 to 100`,
		c + `"max_restarts": true`:                                `"max_restarts" must be a whole number, not true or false`,
		c + `"restart_on_failure": "yes"`:                         `"restart_on_failure" must be true or false, not a string`,
		c + `"framing": "newlines"`:                               `"framing" must be "auto", "newline" or "content-length", not "newlines" | did you mean "newline"?`,
		c + `"era": "old"`:                                        `"era" must be "auto", "legacy", "modern" or "both", not "old"`,
		c + `"enabled": true, "disabled": true`:                   `"disabled" contradicts "enabled" on line 1 | keep one of the two`,
		c + `"disabled": false, "enabled": false`:                 `"disabled" contradicts "enabled" on line 1 | keep one of the two`,
		c + `"disabled": 1`:                                       `"disabled" must be true or false, not a number`,
		c + `"inherit_env": ["["]`:                                `"inherit_env" must be a list of names or globs, and "[" is neither`,
		c + `"inherit_env": ["A B"]`:                              `"inherit_env" must be a list of strings without spaces`,
		c + `"sessions": {"on_lost": "restart"}`:                  `"sessions.on_lost" must be "resurrect", "notify" or "404", not "restart"`,
		c + `"sessions": {"on_lost": ["404"]}`:                    `"sessions.on_lost" must be a string, not a list`,
		c + `"sessions": {"on_lost": 405}`:                        `"sessions.on_lost" must be a string, not a number`,
		c + `"fork": "auto"`:                                      `"fork" must be true or false, not a string`,
		c + `"stateless": "yes"`:                                  `"stateless" must be true or false, not a string`,
		c + `"sessions": {"idle_seconds": 0}`:                     `"sessions.idle_seconds" must be a number of seconds from 1 to 2592000`,
		c + `"sessions": {"max": -1}`:                             `"sessions.max" must be a whole number from 0 to 100000`,
		c + `"sessions": {"max_per_principal": 0}`:                `"sessions.max_per_principal" must be a whole number from 1 to 100000`,
		c + `"sessions": {"client_ids": "deny"}`:                  `"sessions.client_ids" must be "accept" or "reject", not "deny"`,
		c + `"trace": "yes"`:                                      `"trace" must be "pass" or "inject", not "yes"`,
		c + `"audit": "calls"`:                                    `"audit" must be an object, not a string`,
		c + `"audit": {"arguments": ["a b"]}`:                     `"audit.arguments" must be a list of strings without spaces`,
		c + `"env_from_headers": ["X-A"]`:                         `"env_from_headers" must be an object, not a list`,
		c + `"env_from_headers": {"A": 1}`:                        `"env_from_headers.A" must be a string, not a number`,
		c + `"env_from_headers": {"PATH": "X-A"}`:                 `"env_from_headers.PATH" cannot be: variable PATH may not come from a caller: it changes what the server runs or trusts`,
		c + `"env_from_headers": {"A": "Cookie"}`:                 `"env_from_headers.A" cannot be: header Cookie may not become a variable: it is not the caller's to give to the server`,
		c + `"env_from_headers": {"A": "${H}"}`:                   `"env_from_headers.A" cannot be: invalid header "${H}": want the name of an HTTP header`,
		c + `"env_from_headers": {"A": "X-A", "a": "X-B"}`:        `"env_from_headers" cannot be: variable a is set twice, also as A`,
		c + `"env_from_headers": {"A": "X-A"}, "env": {"A": "b"}`: `"env_from_headers" sets A, which env sets too | remove it from one of them`,
		c + `"env_from_claims": {"A": "sub"}`:                     `"env_from_claims" needs callers with a verified token, which the method "none" does not check | set auth.method to "azure_obo" or "oauth2_bearer"`,
	} {
		f, err := one(t, entry, nil)
		if got := sentence(t, err); got != `c.json:1: server "s": `+want || f != nil {
			t.Errorf("{%s}:\n got %s\nwant %s", entry, got, want)
		}
	}
}

func TestErrorShowsWhatIsWrittenAndNoValue(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		`"command": "npx x --key ${KEY}"`:           `"command" must be the program alone, because no shell splits it | write "command": "npx", "args": ["x", "--key", "${KEY}"]`,
		`"command": "npx", "framing": "${KEY}"`:     `"framing" must be "auto", "newline" or "content-length", not "${KEY}"`,
		`"command": "${KEY}", "timeout_seconds": 0`: `"timeout_seconds" must be a number of seconds from 1 to 3600`,
	} {
		_, err := one(t, entry, environ("KEY", "s3cret words"))
		if got := sentence(t, err); got != `c.json:1: server "s": `+want {
			t.Errorf("{%s}:\n got %s\nwant %s", entry, got, want)
		}
	}
}

func TestBrokenRuntimeIsNamedWithItsKey(t *testing.T) {
	t.Parallel()
	for runtime, want := range map[string]string{
		`[]`:                                 `"runtime" must be an object, not a list`,
		`{"default_server": "gti"}`:          `"runtime.default_server" names the server "gti", which does not exist | did you mean "git"?`,
		`{"default_server": "off"}`:          `"runtime.default_server" names the server "off", which is disabled`,
		`{"public_url": "app.example"}`:      `"runtime.public_url" must be an http or https URL without user, query and fragment`,
		`{"public_url": "https://a/?b"}`:     `"runtime.public_url" must be an http or https URL without user, query and fragment`,
		`{"allowed_origins": ["a.com"]}`:     `"runtime.allowed_origins" must be a list of origins such as https://example.com, not "a.com"`,
		`{"allowed_origins": ["http://a/"]}`: `"runtime.allowed_origins" must be a list of origins such as https://example.com, not "http://a/"`,
		`{"allowed_hosts": ["https://a"]}`:   `"runtime.allowed_hosts" must be a list of host names such as example.com or localhost:7071, not "https://a"`,
		`{"max_sessions": -1}`:               `"runtime.max_sessions" must be a whole number from 0 to 100000`,
		`{"max_message_bytes": 1}`:           `"runtime.max_message_bytes" must be a whole number from 4096 to 1073741824`,
		`{"max_message_bytes": {"up": "1"}}`: `"runtime.max_message_bytes.up" must be a whole number, not a string`,
		`{"keepalive_seconds": -1}`:          `"runtime.keepalive_seconds" must be a number of seconds from 0 to 3600`,
		`{"log_level": "warning"}`:           `"runtime.log_level" must be "debug", "info", "warn" or "error", not "warning" | did you mean "warn"?`,
	} {
		data := `{"mcpServers": {"git": {"command": "x"}, "off": {"command": "x", "disabled": true}}, "runtime": ` + runtime + `}`
		f, err := Parse("c.json", []byte(data), nil)
		if got := sentence(t, err); got != `c.json:1: `+want || f != nil {
			t.Errorf("%s:\n got %s\nwant %s", runtime, got, want)
		}
	}
}

func TestNameThatNoFolderAndNoRouteCanHaveIsRefused(t *testing.T) {
	t.Parallel()
	const rule = `a name must be up to 63 letters, digits, "-" and "_", and begin with a letter or a digit`
	for name, want := range map[string]string{
		"":                      `c.json:1: a server needs a name`,
		"a/b":                   `c.json:1: server "a/b": ` + rule + ` | rename it, for example to "a-b"`,
		"..":                    `c.json:1: server "..": ` + rule,
		"@org/x.y":              `c.json:1: server "@org/x.y": ` + rule + ` | rename it, for example to "org-x-y"`,
		"-a":                    `c.json:1: server "-a": ` + rule + ` | rename it, for example to "a"`,
		strings.Repeat("a", 64): `c.json:1: server "` + strings.Repeat("a", 64) + `": ` + rule,
		"NUL":                   `c.json:1: server "NUL": Windows reserves this name for a device, so a folder cannot have it | rename it, for example to "NUL-server"`,
		"com1":                  `c.json:1: server "com1": Windows reserves this name for a device, so a folder cannot have it | rename it, for example to "com1-server"`,
		"SSE":                   `c.json:1: server "SSE": /api/mcp/sse belongs to the HTTP+SSE transport of the default server | rename it, for example to "SSE-server"`,
		strings.Repeat("a", 63): ``,
		"0_-":                   ``,
		"com10":                 ``,
	} {
		_, err := Parse("c.json", []byte(`{"mcpServers": {"`+name+`": {"command": "x"}}}`), nil)
		if got := sentence(t, err); got != want {
			t.Errorf("%q:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestDoubtfulThingsAreWarnings(t *testing.T) {
	t.Parallel()
	const c = `"command": "x", `
	for entry, want := range map[string][]string{
		c + `"timeout": 3`:                  {`"timeout" is not a known key | did you mean "timeout_seconds"?`},
		c + `"workingDir": "a"`:             {`"workingDir" is not a known key | did you mean "working_dir"?`},
		c + `"autoApprove": []`:             {`"autoApprove" is not a known key`},
		c + `"sessions": {"on_los": "404"}`: {`"sessions.on_los" is not a known key | did you mean "on_lost"?`},
		c + `"env_from_headers": {"A": "X-A"}, "sessions": {"prewarm": 1}`: {`"env_from_headers" binds each process to one caller, so that none can be started in advance | remove sessions.prewarm`},
		c + `"stateles": true`:                    {`"stateles" is not a known key | did you mean "stateless"?`},
		c + `"sessions": {"idle": 3}`:             {`"sessions.idle" is not a known key | did you mean "idle_seconds"?`},
		c + `"inherit_env": ["*"]`:                {`"inherit_env" passes every variable of the app to the server, except those that are never passed | name the variables that the server needs`},
		`"url": "https://x"`:                      {`"url" makes it a remote server, which already has a URL, so it is skipped`},
		c + `"type": "http", "max_restarts": -1`:  {`"type" is "http": a remote server already has a URL, so it is skipped`},
		c + `"type": "grpc"`:                      {`"type" is "grpc", but mcpfunc serves only "stdio", so this server is skipped`},
		c + `"url": "https://x"`:                  {`"url" has no effect together with "command"`},
		`"command": "/my tools/x"`:                {`"command" is used as a whole as the path of a program | if "/my" is the program, move the rest to "args"`},
		`"command": "uv run", "args": ["x"]`:      {`"command" must be the program alone, because no shell splits it | write "command": "uv", "args": ["run"]`},
		`"command": "/my tools/x", "args": ["y"]`: nil,
		`"disabled": true, "type": "http", "url": "https://x", "timeout_seconds": -1`: {
			`"type" is "http", but mcpfunc serves only programs that speak stdio`,
			`"timeout_seconds" must be a number of seconds from 1 to 3600`,
			`"url" makes it a remote server, but mcpfunc serves only programs that speak stdio`,
		},
		`"enabled": false, "command": "x", "auth": {"method": "basic"}, "cwd": "a", "working_dir": "b"`: {
			`"auth.method" must be "none", "azure_default", "azure_obo" or "oauth2_bearer", not "basic"`,
			`"working_dir" contradicts "cwd" on line 1`,
		},
	} {
		f, err := one(t, entry, environ())
		if err != nil {
			t.Errorf("{%s}: %v", entry, err)
			continue
		}
		for i := range want {
			want[i] = `c.json:1: server "s": ` + want[i]
		}
		if diff := cmp.Diff(want, texts(f.Warnings)); diff != "" {
			t.Errorf("{%s} (-want +got):\n%s", entry, diff)
		}
	}
}

func TestSlipAtTheTopIsAWarningAndAnEditorsSettingIsNot(t *testing.T) {
	t.Parallel()
	f, err := Parse("c.json", []byte("{\"mcpServers\": {}, \"editor.fontSize\": 12, \"theme\": 1,\n\"runtimes\": {}, \"runtime\": {\"log\": 1}}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`c.json:2: "runtime.log" is not a known key | did you mean "log_level"?`,
		`c.json:2: "runtimes" is not a known key | did you mean "runtime"?`,
	}
	if diff := cmp.Diff(want, texts(f.Warnings)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestErrorSaysOnlyWhatItKnows(t *testing.T) {
	t.Parallel()
	cause := errors.New("is bad")
	for want, e := range map[string]*Error{
		`is bad`:                           {Err: cause},
		`line 3: is bad`:                   {Line: 3, Err: cause},
		`c.json: "k" is bad`:               {Path: "c.json", Key: "k", Err: cause},
		`c.json:3: server "s": "k" is bad`: {Path: "c.json", Line: 3, Server: "s", Key: "k", Err: cause},
	} {
		if got := e.Error(); got != want || !errors.Is(e, cause) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
