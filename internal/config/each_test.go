package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

func env(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v := vars[name]
		return v, v != ""
	}
}

func TestParseEachPutsWhatIsWrongWithOneServerIntoIt(t *testing.T) {
	t.Parallel()
	const file = `{"mcpServers": {
		"good": {"command": "a", "env": {"X": "${SET}"}},
		"unset": {"command": "a", "env": {"X": "${UNSET}"}},
		"vault": {"command": "a", "args": ["${VAULT}", "${VAULT:-never}"]},
		"auth": {"command": "a", "auth": {"method": "oauth2_bearer", "oauth2_issuer": "${ISSUER}", "oauth2_audience": "x"}},
		"era": {"command": "a", "era": "stone", "env": {"X": "${SET}"}},
		"Twin": {"command": "a"},
		"twin": {"command": "b", "env": {"X": "${SET}"}},
		"off": {"command": 1, "disabled": true},
		"sse": {"command": "a"},
	}}`
	vars := map[string]string{"SET": "s3cret-value", "VAULT": "@Microsoft.KeyVault(VaultName=v;SecretName=s)", "ISSUER": "ftp://s3cret-value"}
	got, err := config.ParseEach("f.json", []byte(file), env(vars))
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]string{}
	for _, s := range got.Enabled() {
		faults[s.Name] = ""
		if s.Fault == nil {
			continue
		}
		faults[s.Name] = s.Fault.Error()
		if strings.Contains(s.Fault.Error()+s.Fault.Hint, "s3cret") || strings.Contains(s.Fault.Error(), "VaultName") {
			t.Errorf("the fault of %s shows a value: %v", s.Name, s.Fault)
		}
	}
	want := map[string]string{
		"good":  "",
		"unset": `f.json:3: server "unset": "env.X" needs the variable UNSET, which is not set`,
		"vault": `f.json:4: server "vault": "args" needs the variable VAULT, which is a Key Vault reference that is not resolved`,
		"auth":  `f.json:5: server "auth": "auth.oauth2_issuer" cannot be used with the value of ISSUER`,
		"era":   `f.json:6: server "era": "era" must be "auto", "legacy", "modern" or "both", not "stone"`,
		"Twin":  `f.json:8: server "twin": differs from "Twin" on line 7 only in letter case`,
		"twin":  `f.json:8: server "twin": differs from "Twin" on line 7 only in letter case`,
		"sse":   `f.json:10: server "sse": /api/mcp/sse belongs to the HTTP+SSE transport of the default server`,
	}
	if diff := cmp.Diff(want, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if first, _ := got.Default(); first.Name != "good" {
		t.Errorf("the default server is %q", first.Name)
	}
}

func TestParseEachStillFailsForTheRestOfTheFile(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		`{`: "f.json:1: ",
		`{"mcpServers": {"a": {"command": "a"}}, "runtime": {"public_url": "${URL}"}}`: `f.json:1: "runtime.public_url" cannot be used with the value of URL`,
		`{"mcpServers": {"a": {"command": "a"}}, "runtime": {"max_sessions": -1}}`:     `f.json:1: "runtime.max_sessions" must be`,
	} {
		_, err := config.ParseEach("f.json", []byte(file), env(map[string]string{"URL": "ftp://s3cret-value"}))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %s…", file, err, want)
		}
	}
}
