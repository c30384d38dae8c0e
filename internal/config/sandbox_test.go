package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSandboxIsRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Sandbox{
		`{}`:                                    {},
		`{"network": "all"}`:                    {},
		`{"network": "none"}`:                   {NoNetwork: true},
		`{"network": [443], "write": null}`:     {NoNetwork: true, Ports: []int{443}},
		`{"write": []}`:                         {ReadOnly: true},
		`{"write": ["data", "${DIR}"]}`:         {ReadOnly: true, Write: []string{"data", "${DIR}"}},
		`{"network": "none", "required": true}`: {NoNetwork: true},
		`{"write": ["/a"], "required": false}`:  {ReadOnly: true, Write: []string{"/a"}, Optional: true},
	} {
		f, err := Parse("c.json", []byte(`{"mcpServers": {"a": {"command": "x", "sandbox": `+text+`}}}`), nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, f.Servers[0].Sandbox); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if got := f.Servers[0].Sandbox.String(); (got != "") != (want.NoNetwork || want.ReadOnly) {
			t.Errorf("%s: in words %q", text, got)
		}
		if nothing := !want.NoNetwork && !want.ReadOnly; (len(f.Warnings) > 0) != nothing {
			t.Errorf("%s: warnings %v", text, f.Warnings)
		}
	}
}

func TestBrokenSandboxIsAnErrorWithItsPlace(t *testing.T) {
	t.Parallel()
	const form = `"sandbox" is in the format of another client, which mcpfunc does not support, so it does not serve this server | write {"network": "none", "write": ["folder"]}: see Sandbox in the guide`
	for text, want := range map[string]string{
		`true`:                               form,
		`{"network": {"allow": ["x"]}}`:      form,
		`{"netwrok": "none"}`:                form,
		`false`:                              `"sandbox" must be an object, not true or false`,
		`{"network": "nono"}`:                `"sandbox.network" must be "all" or "none", not "nono" | did you mean "none"?`,
		`{"network": "${NET}"}`:              `"sandbox.network" must be "all" or "none", not "${NET}"`,
		`{"network": true}`:                  `"sandbox.network" must be "all", "none" or a list of ports, not true or false`,
		`{"network": []}`:                    `"sandbox.network" must not be empty | write "none"`,
		`{"network": [0]}`:                   `"sandbox.network" must be a whole number from 1 to 65535`,
		`{"network": ["443"]}`:               `"sandbox.network" must be a whole number, not a string`,
		`{"write": "data"}`:                  `"sandbox.write" must be a list of strings, not a string`,
		`{"write": [""]}`:                    `"sandbox.write" must not contain an empty name`,
		`{"write": ["//."]}`:                 `"sandbox.write" contains the root folder | name the folders, or omit "write"`,
		`{"write": ["~/x"]}`:                 `"sandbox.write" contains "~/x", and no shell expands it | write ${HOME}, or omit it: each server has its own home folder`,
		`{"write": [], "wirte": []}`:         `"sandbox.wirte" is not a known key | did you mean "write"?`,
		`{"network": "none", "required": 1}`: `"sandbox.required" must be true or false, not a number`,
	} {
		_, err := Parse("c.json", []byte("{\"mcpServers\": {\"a\": {\"command\": \"x\",\n \"sandbox\": "+text+"}}}"), nil)
		got := sentence(t, err)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Line != 2 || !strings.HasSuffix(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}
