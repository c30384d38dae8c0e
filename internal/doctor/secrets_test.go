package doctor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

func TestNoAdviceShowsASecret(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	file, err := config.Parse("f.json", []byte(`{"mcpServers": {"git": {"command": "x", "env": {"GIT_TOKEN": "`+secret+`", "FINE": "1"},
	  "args": ["--api-key", "`+secret+`", "--password=`+secret+`", "run", "-e", "DB_PASSWORD=`+secret+`", "--verbose", "Bearer `+secret+`", "--token", "${TOKEN}"]}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range Advise(file) {
		got = append(got, a.Text)
		if strings.Contains(a.String()+a.Hint, secret) {
			t.Errorf("the advice on %s shows the value", a.Key)
		}
		if !strings.Contains(a.Hint, "${") {
			t.Errorf("the advice on %s has no hint: %s", a.Key, a.Hint)
		}
	}
	want := []string{
		`"env.GIT_TOKEN" seems to contain a secret, by its name`,
		`"args[1]" seems to contain a secret, by its name`,
		`"args[2]" seems to contain a secret, by its name`,
		`"args[5]" seems to contain a secret, by its name`,
		`"args[7]" seems to contain an Authorization header`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("advice (-want +got):\n%s", diff)
	}
}

// What validate and doctor call a secret is what azd is given as one, and nothing else.
func TestInfrastructureKeepsWhatIsCalledASecret(t *testing.T) {
	t.Parallel()
	names := []string{"API_KEY", "GITHUB_PAT", "DB_PASS", "SENTRY_DSN", "AWS_ACCESS_KEY_ID", "HTTPS_PROXY", "PIP_INDEX_URL", "DATABASE_URL",
		"REGION", "LOG_LEVEL", "TOKEN_URL", "AUTHOR", "MAX_TOKENS"}
	var args []string
	for _, name := range names {
		args = append(args, `"${`+name+`}"`)
	}
	data := []byte(`{"mcpServers": {"a": {"command": "x", "env": {"TOKEN": "${PLAIN}"}, "args": [` + strings.Join(args, ",") + `, "--password", "${WORD}"]}}}`)
	file, err := config.Parse("f.json", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Project{File: file, Environ: []string{"PLAIN=1", "WORD=1"}}
	for _, name := range names {
		p.Environ = append(p.Environ, name+"=1")
	}
	var said string
	for _, f := range p.variables() {
		if f.Name == "app settings" {
			said = f.Detail + ","
		}
	}
	secrets := 0
	for name, secure := range (generator.Project{Config: file}).AppSettings() {
		if called := strings.Contains(said, " "+name+" (secret),"); called != secure || !strings.Contains(said, " "+name) {
			t.Errorf("%s is secure: %t; what is said of the settings is %s", name, secure, said)
		}
		if secure {
			secrets++
		}
	}
	if secrets != 10 {
		t.Errorf("%d settings are secrets, want 10: %s", secrets, said)
	}
	for _, name := range names[:5] { // written out, each is a secret, too
		data := []byte(`{"mcpServers": {"a": {"command": "x", "env": {"` + name + `": "hunter2hunter2"}}}}`)
		file, err := config.Parse("f.json", data, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(Advise(file)) != 1 {
			t.Errorf("%s: nothing is said of its value", name)
		}
	}
}
