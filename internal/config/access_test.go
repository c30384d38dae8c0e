package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func entryWith(method, members string) string {
	auth := ""
	if method == "oauth2_bearer" {
		auth = `"auth": {"method": "oauth2_bearer", "oauth2_issuer": "https://id.example.com"},`
	}
	return fmt.Sprintf("{\"mcpServers\": {\"a\": {\"command\": \"x\", %s\n%s}}}", auth, members)
}

func TestAccess(t *testing.T) {
	t.Parallel()
	file, err := Parse("f.json", []byte(entryWith("oauth2_bearer", `
		"tools": {"allow": ["read_*", "${MORE}"], "deny": ["read_secret"], "pin": "enforce", "require": {
			"delete_*": {"scopes": ["files.write"], "roles": ["admin", "owner"]}, "*_all": {"groups": ["g 1"]}}},
		"prompts": {"deny": ["draft ?"]},
		"resources": {"allow": ["file:///{path}", "http://[::1]/*"], "deny": null}`)), func(string) (string, bool) { return "list", true })
	if err == nil {
		t.Fatal("a group with a blank passes")
	}
	file, err = Parse("f.json", []byte(entryWith("oauth2_bearer", `
		"tools": {"allow": ["read_*", "${MORE}"], "deny": ["read_secret"], "pin": "enforce", "require": {
			"delete_*": {"scopes": ["files.write"], "roles": ["admin", "owner"]}, "*_all": {"groups": ["g1"]}}},
		"prompts": {"deny": ["draft ?"]},
		"resources": {"allow": ["file:///{path}", "http://[::1]/*"], "deny": null}`)), func(string) (string, bool) { return "list", true })
	if err != nil {
		t.Fatal(err)
	}
	want := Access{
		Tools: AccessRules{Allow: []string{"read_*", "list"}, Deny: []string{"read_secret"}, Require: []Requirement{
			{Glob: "delete_*", Scopes: []string{"files.write"}, Roles: []string{"admin", "owner"}},
			{Glob: "*_all", Groups: []string{"g1"}},
		}},
		Prompts:   AccessRules{Deny: []string{"draft ?"}},
		Resources: AccessRules{Allow: []string{"file:///{path}", "http://[::1]/*"}},
		Pin:       PinEnforce,
	}
	if diff := cmp.Diff(want, file.Servers[0].Access); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(file.Warnings) > 0 {
		t.Errorf("warnings %v", file.Warnings)
	}
}

func TestAccessErrors(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]string{
		`"tools": {"alow": ["x"]}`:                          `f.json:2: server "a": "tools.alow" is not a known key`,
		`"tools": {"require": {"x": {"scope": ["y"]}}}`:     `"tools.require.x.scope" is not a known key`,
		`"prompts": {"pin": "off"}`:                         `"prompts.pin" is not a known key`,
		`"prompts": ["x"]`:                                  `"prompts" must be an object, not a list`,
		`"tools": ["x"]`:                                    `"tools" restricts this server in another client`,
		`"tools": {"allow": []}`:                            `"tools.allow" must not be an empty list`,
		`"tools": {"allow": "x"}`:                           `"tools.allow" must be a list of globs, not a string`,
		`"tools": {"allow": [5]}`:                           `"tools.allow" must be a string, not a number`,
		`"tools": {"deny": [""]}`:                           `"tools.deny" must not contain an empty glob`,
		`"tools": {"deny": ["a[b]"]}`:                       `"tools.deny" contains "a[b]"; the only wildcards are "*"`,
		`"tools": {"deny": ["{a,b}"]}`:                      `contains "{a,b}"`,
		`"tools": {"deny": ["!a"]}`:                         `contains "!a"`,
		`"prompts": {"deny": ["a\\*"]}`:                     `contains "a\\*"`,
		`"tools": {"deny": [" a"]}`:                         `begins or ends with a space`,
		`"tools": {"require": {"[a": {"scopes": ["y"]}}}`:   `contains "[a"`,
		`"tools": {"require": {"a": {}}}`:                   `"tools.require.a" must name scopes, roles or groups`,
		`"tools": {"require": {"a": {"roles": []}}}`:        `"tools.require.a.roles" must not be an empty list`,
		`"tools": {"require": {"a": {"scopes": ["x\"y"]}}}`: `"tools.require.a.scopes" must be a list of scopes`,
		`"tools": {"pin": "always"}`:                        `"tools.pin" must be "off", "warn" or "enforce", not "always"`,
		`"tools": {"deny": ["a"], "deny": ["b"]}`:           `is written twice`,
		`"tools": {"require": {"a": {"roles": ["r"]}}}`:     `"tools.require" can never be met: callers do not have a token with the method "none"`,
		`"resources": {"require": {"a": {"roles": ["r"]}}}`: `"resources.require" can never be met`,
		"\"tools\": {\n\"deny\": [\n\"ok\",\n\"[\"]}":       `f.json:5: server "a": "tools.deny" contains "["`,
		`"auth": {"method": "azure_default"}, "tools": {"require": {"a": {"roles": ["r"]}}}`: `with the method "azure_default"`,
	} {
		_, err := Parse("f.json", []byte(entryWith("none", members)), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", members, err, want)
		}
	}
	for _, members := range []string{`"tools": ["*"]`, `"tools": "*"`, `"tools": {}`, `"tools": null`, `"tools": {"require": {}}`} {
		if _, err := Parse("f.json", []byte(entryWith("none", members)), nil); err != nil {
			t.Errorf("%s: %v", members, err)
		}
	}
}
