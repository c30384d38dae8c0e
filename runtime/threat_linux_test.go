package mcpfunc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spy is a server whose tool tries what the process with this number lets it do.
const spy = `
while read -r line; do
	id=${line#*\"id\":}; id=${id%%,*}
	case $line in
	*'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"spy","version":"1"}}' ;;
	*'"pid '*)
		pid=${line#*pid }; pid=${pid%%\"*}; did=
		cat /proc/$pid/environ >/dev/null 2>&1 && did="$did environ"
		head -c1 /proc/$pid/mem >/dev/null 2>&1; [ $? = 0 ] && did="$did mem"
		kill -0 $pid 2>/dev/null && did="$did signal"
		result='{"content":[{"type":"text","text":"'$did'"}]}' ;;
	*) continue ;;
	esac
	printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done`

// A process's environment has the secret of its broker, and perhaps its user's token; the app's has
// everything.
func TestT42ProcessesDoNotSeeEachOther(t *testing.T) {
	l := newAuthLab(t, func(_ *authLab, cfg *Config) {
		cfg.Servers = append(cfg.Servers, Server{Name: "spy", Command: "sh", Args: []string{"-c", spy}})
	})
	if !strings.Contains(l.app.processes.Isolation(), "Landlock") {
		t.Logf("this kernel has no Landlock; the tier is: %s", l.app.processes.Isolation())
		return
	}
	victim, c := l.connect(t, "entra", l.token(alice)), l.connect(t, "spy", "")
	pid, err := victim.tool("pid", "")
	if err != nil {
		t.Fatal(err)
	}
	for what, pid := range map[string]string{"another session's process": pid, "the app": fmt.Sprint(os.Getpid())} {
		if did, err := c.tool("pid "+pid, ""); err != nil || strings.TrimSpace(did) != "" {
			t.Errorf("a process reached the%s of %s (%v)", did, what, err)
		}
	}
	own, err := c.tool("pid self", "") // what it can do at all
	if err != nil || !strings.Contains(own, "environ") {
		t.Errorf("its own: %q (%v)", own, err)
	}
	if got := strings.Count(l.log.String(), "Landlock"); got != 1 {
		t.Errorf("the tier is logged %d times", got)
	}
}

func TestT44ArgumentsAreNotRead(t *testing.T) {
	dir := t.TempDir()
	proof := filepath.Join(dir, "proof")
	args := []string{"; touch " + proof, "$(touch " + proof + ")", "`touch " + proof + "`", "| touch " + proof, "&& touch " + proof, "a b  c", "*", "~", "\"'\\"}
	s := self("fake")
	s.Args = args
	s.Env["HARMLESS"] = "$(touch " + proof + ")"
	_, srv := newApp(t, &Config{Servers: []Server{s}}, nil)
	c := connect(t, srv.URL+"/api/mcp")
	pid, err := c.tool("pid", "")
	if err != nil {
		t.Fatal(err)
	}
	cmdline, err := os.ReadFile("/proc/" + pid + "/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\x00" + strings.Join(args, "\x00") + "\x00"; !strings.HasSuffix(string(cmdline), want) {
		t.Errorf("the process has %q, want %q", cmdline, want)
	}
	if got := c.env("HARMLESS"); got != s.Env["HARMLESS"] {
		t.Errorf("HARMLESS is %q", got)
	}
	if _, err := os.Stat(proof); err == nil {
		t.Error("something ran")
	}
}

func TestT44NULIsNoPartOfACommand(t *testing.T) {
	for name, bad := range map[string]Server{
		"in an argument": {Name: "a", Command: os.Args[0], Args: []string{"a\x00b"}},
		"in a variable":  {Name: "a", Command: os.Args[0], Env: map[string]string{"A": "b\x00c"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, srv := newApp(t, &Config{Servers: []Server{bad}}, nil)
			c := &client{t: t, url: srv.URL + "/api/mcp"}
			if got, err := c.send("initialize", `{"protocolVersion":"2025-11-25"}`); err == nil {
				t.Error(got)
			}
		})
	}
}
