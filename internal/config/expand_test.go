package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVariablesAreReplaced(t *testing.T) {
	t.Parallel()
	lookup := environ("A", "1", "EMPTY", "", "QUOTE", `"}, "b": {`, "AGAIN", "${A}", "MY_ID", "x")
	for in, want := range map[string]string{
		`plain $A $(A) {A}`: `plain $A $(A) {A}`,
		`${A}`:              `1`,
		`a${A}b${A}`:        `a1b1`,
		`${env:A}`:          `1`,
		`${EMPTY}`:          ``,
		`${EMPTY:-d}`:       `d`,
		`${NONE:-d: -x}`:    `d: -x`,
		`${NONE:-}`:         ``,
		`${A:-d}`:           `1`,
		`${QUOTE}`:          `"}, "b": {`,
		`${AGAIN}`:          `${A}`,
		`$${A}`:             `${A}`,
		`$$${A}`:            `$${A}`,
		`${A}$`:             `1$`,
		`${input:my-id}`:    `x`,
		`${input:other:-d}`: `d`,
	} {
		f, err := one(t, `"command": "x", "args": ["`+escape(in)+`"]`, lookup)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := f.Servers[0].Args[0]; got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func escape(s string) string {
	var out []rune
	for _, r := range s {
		if r == '"' || r == '\\' {
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}

func TestVariableThatCannotBeReplacedIsAnError(t *testing.T) {
	t.Parallel()
	const literal = ` | write $${ for a literal ${`
	for in, want := range map[string]string{
		`${NONE}`:        `needs the variable NONE, which is not set | set NONE in the app settings, or write ${NONE:-default}`,
		`${env:NONE}`:    `needs the variable NONE, which is not set | set NONE in the app settings, or write ${NONE:-default}`,
		`${input:my-id}`: `needs the variable MY_ID, which is not set | set MY_ID in the app settings, or write ${MY_ID:-default}`,
		`${userHome}`:    `uses ${userHome}, the home folder of the editor's user, which does not exist on Azure | copy what it names into the project, and write a path that is relative to the project`,
		`${config:a.b}`:  `uses ${config:a.b}, a setting of the editor, which does not exist on Azure | write ${NAME} and set NAME as an app setting`,
		`${/}`:           `uses ${/}, the path separator of the editor's machine, which does not exist on Azure | write "/"`,
		`${other:a.b}`:   `uses a ${other:...} variable, which only an editor can resolve | write ${NAME} and set NAME as an app setting`,
		`${A`:            `has a ${ without a closing }` + literal,
		`${}`:            `contains a ${...} that is not the name of a variable` + literal,
		`${A B}`:         `contains a ${...} that is not the name of a variable` + literal,
		`${1A}`:          `contains a ${...} that is not the name of a variable` + literal,
		`${input:}`:      `contains a ${...} that is not the name of a variable` + literal,
		`${A:-${B}}`:     `uses a variable in the default of another | write the default as plain text`,
	} {
		_, err := one(t, "\"command\": \"x\",\n\"env\": {\n\"K\": \""+in+`"}`, environ())
		if got := sentence(t, err); got != `c.json:3: server "s": "env.K" `+want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestMalformedVariableIsAnErrorForTheGeneratorToo(t *testing.T) {
	t.Parallel()
	_, err := one(t, `"command": "${A"`, nil)
	want := `c.json:1: server "s": "command" has a ${ without a closing } | write $${ for a literal ${`
	if got := sentence(t, err); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestVariablesOfEditorsAreErrorsWhoeverReads(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"workspaceFolder", "workspaceFolder:web", "workspaceFolderBasename", "userHome", "pathSeparator", "/",
		"config:a.b", "command:c", "CLAUDE_PLUGIN_ROOT", "__dirname", "user_config.token", "extensionPath"} {
		for _, lookup := range []func(string) (string, bool){nil, environ(name, "x")} {
			_, err := one(t, `"command": "x", "args": ["${`+name+`}"]`, lookup)
			if got := sentence(t, err); !strings.Contains(got, "uses ${"+name+"}, ") {
				t.Errorf("${%s}: %s", name, got)
			}
		}
	}
}

func TestOnlyTheServerThatNamesAVariableCausesItsLookup(t *testing.T) {
	t.Parallel()
	var asked []string
	lookup := func(name string) (string, bool) {
		asked = append(asked, name)
		return name, true
	}
	_, err := Parse("", []byte(`{"x": "${TOP}", "mcpServers": {
		"a": {"command": "${A}", "env": {"${KEY}": "${B}"}, "unknown": "${U}"},
		"off": {"command": "${OFF}", "disabled": true}}}`), lookup)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"A", "B"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}

func TestInputFallsBackToItsDefaultUnlessItIsSecret(t *testing.T) {
	t.Parallel()
	data := []byte(`{"servers": {"s": {"command": "x", "args": ["${input:a}", "${input:b}"]}},
		"inputs": [{"id": "a", "default": "da"}, {"id": "b", "default": "db", "password": true}]}`)
	f, err := Parse("", data, environ("B", "vb"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"da", "vb"}, f.Servers[0].Args); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := Parse("", data, environ()); err == nil {
		t.Error("a password took its default")
	}
}

func TestInputsThatShareAVariableAreAWarning(t *testing.T) {
	t.Parallel()
	f, err := Parse("", []byte(`{"servers": {}, "inputs": [{"id": "a-b"}, {"id": "a.b"}, {"id": "1"}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`line 1: "inputs" asks for "a-b" and "a.b", which are both read from A_B`}
	if diff := cmp.Diff(want, texts(f.Warnings)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := f.Inputs[2].EnvName; got != "_1" {
		t.Errorf("got %s, want _1", got)
	}
}

// What a value is for says that it is a secret, whatever its variable is called.
func TestVariablesAreSecretsByWhereTheyStand(t *testing.T) {
	t.Parallel()
	f, err := one(t, `"command": "x", "env": {"GITHUB_TOKEN": "${A}", "DB": "postgres://app:${B}@db/app", "H": "Authorization: Bearer ${C}", "INDEX": "AccountKey=${D};x", "LEVEL": "${E}", "PIP_INDEX_URL": "${F}"},
		"args": ["--api-key", "${G}", "--token=${H}", "--region", "${I}", "-e", "DB_PASSWORD=${J}", "${K}"]`, nil)
	if err != nil {
		t.Fatal(err)
	}
	var secrets string
	for _, v := range f.Variables {
		if v.Secret {
			secrets += v.Name
		}
	}
	if secrets != "ABCDFGHJ" {
		t.Errorf("secrets are %s", secrets)
	}
}

// Every process has a home folder and a PATH: nobody has to fill them in.
func TestVariablesOfTheSystemAreOptional(t *testing.T) {
	t.Parallel()
	f, err := one(t, `"command": "${HOME}/x", "args": ["${TOKEN}", "${PATH}"]`, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, v := range f.Variables {
		got[v.Name] = v.Optional
	}
	if diff := cmp.Diff(map[string]bool{"HOME": true, "PATH": true, "TOKEN": false}, got); diff != "" {
		t.Errorf("optional (-want +got):\n%s", diff)
	}
}
