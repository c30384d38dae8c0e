package config

import (
	"testing"

	"github.com/tailscale/hujson"
)

func TestWhatKeepsToolsAwayIsAGuard(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]bool{
		`"disabledTools": ["drop"]`:             true,
		`"disabledTools": []`:                   false,
		`"disabledTools": null`:                 false,
		`"excludeTools": ["*"]`:                 true,
		`"includeTools": []`:                    true,
		`"tools": ["read"]`:                     true,
		`"tools": "*"`:                          false,
		`"disabledTools": "*"`:                  true,
		`"tools": ["*"]`:                        false,
		`"tools": {"drop": {"approval": "no"}}`: true,
		`"available_tools": []`:                 false,
		`"sandbox": {}`:                         false,
		`"sandbox": {"network": {"allow": []}}`: true,
		`"sandbox": {"network": "none"}`:        false,
		`"sandboxEnabled": true`:                true,
		`"sandboxEnabled": false`:               false,
		`"autoApprove": ["read"]`:               false,
	} {
		v, err := hujson.Parse([]byte("{" + entry + "}"))
		if err != nil {
			t.Fatal(err)
		}
		m := v.Value.(*hujson.Object).Members[0]
		if got := Guard(m.Name.Value.(hujson.Literal).String(), m.Value); got != want {
			t.Errorf("%s: %t, want %t", entry, got, want)
		}
	}
}

func TestRemarksAmongServersAreNoServers(t *testing.T) {
	t.Parallel()
	f, err := Parse("c.json", []byte(`{"mcpServers": {"_comment": "x", "//": "y", "#": ["a", "b"], "comment": "z", "$note": "n",
		"a": {"command": "x", "type": "local", "env": {"N": null, "P": 8080}}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Servers) != 1 || f.Servers[0].Name != "a" || len(f.Servers[0].Env) != 1 || f.Servers[0].Env["P"] != "8080" {
		t.Errorf("got %+v", f.Servers)
	}
	if _, err := Parse("c.json", []byte(`{"mcpServers": {"a": "x"}}`), nil); err == nil {
		t.Error("text under the name of a server is taken for a remark")
	}
	_, err = Parse("c.json", []byte("// {\n//   \"servers\": {}\n/* } */\n"), nil)
	if got := sentence(t, err); got != "c.json:1: is empty: it contains only comments | a configuration begins with {\"mcpServers\": {" {
		t.Error(got)
	}
}
