package mcpfunc

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
)

// A made-up key, of no curve.
const pemKey = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZZZZZZZZZZZZZZZZ\nYYYYYYYYYYYYYYYYYYYYYYYYYYYYYYYYhRANCAAQXXXXXXXXXXXXXXXXXXXXXXXXX\n-----END PRIVATE KEY-----\n"

// T49: whatever way a secret came to a server, it is in no line of the log and in no answer that tells why the
// server died: as a variable of any name, of several lines, across the cut of a long line, inherited, or in a
// URL.
func TestNoSecretThatAServerPrintsIsToldOfIt(t *testing.T) {
	const inherited, proxied = "inherited-hunter2-value", "proxy-hunter2-pass"
	t.Setenv("SOME_TOKEN", inherited)
	t.Setenv("PIP_INDEX_URL", "https://me:"+proxied+"@pypi.example/simple")
	cfg, err := ParseConfig([]byte(`{"mcpServers": {"fake": {"command": "x", "args": ["${PLAIN_NAME}"], "env": {"CERT": "${CERT}"}}}}`), func(name string) (string, bool) {
		return map[string]string{"PLAIN_NAME": "value/of a plain name", "CERT": pemKey}[name], true
	})
	if err != nil {
		t.Fatal(err)
	}
	s := self("fake")
	s.InheritEnv = []string{"SOME_TOKEN"}
	for name, value := range cfg.Servers[0].Env {
		s.Env[name] = value
	}
	cfg.Servers = []Server{s}
	j := &journal{}
	_, srv := newApp(t, cfg, &Options{Logger: slog.New(slog.NewJSONHandler(j, nil)), LogMessages: true})
	c := connect(t, srv.URL+"/api/mcp")
	long := strings.Repeat("a long line ", 8<<10/12) // ends a few bytes before the cut
	said := []string{"value/of a plain name", "value%2Fof+a+plain+name", `value\/of a plain name`, pemKey, inherited, proxied, long + "value/of a plain name"}
	for _, text := range said {
		quoted, _ := json.Marshal(text)
		if _, err := c.tool("complain", `"text":`+string(quoted)); err != nil {
			t.Fatal(err)
		}
	}
	c.id++
	resp, err := c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"crash"}}`, c.id))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if !strings.Contains(string(body), "[redacted]") || !strings.Contains(j.String(), `"msg":"stderr"`) {
		t.Errorf("nothing was told: %s", body)
	}
	for where, text := range map[string]string{"log": j.String(), "answer": string(body)} {
		for _, canary := range []string{"plain name", "plain+name", "value/of", "value%2F", "ZZZZ", "YYYY", "XXXX", "hunter2"} {
			if i := strings.Index(text, canary); i >= 0 {
				t.Errorf("%q is in the %s: …%.200s", canary, where, text[max(0, i-100):])
			}
		}
	}
}
