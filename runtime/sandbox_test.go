package mcpfunc

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// reach is a server whose tool does what it is called: it tells what the process it is in can reach.
func reach() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var m struct {
			ID     json.RawMessage
			Method string
			Params struct {
				Name      string
				Arguments struct{ At string }
			}
		}
		if json.Unmarshal(in.Bytes(), &m) != nil || m.ID == nil {
			continue
		}
		result := `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"reach","version":"1"}}`
		if m.Method == "tools/call" {
			text, err := reached(m.Params.Name, m.Params.Arguments.At)
			if err != nil {
				text = "error: " + err.Error()
			}
			data, _ := json.Marshal(text)
			result = fmt.Sprintf(`{"content":[{"type":"text","text":%s}]}`, data)
		}
		fmt.Printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n", m.ID, result)
	}
	if err := in.Err(); err != nil {
		panic(err)
	}
}

func reached(what, at string) (string, error) {
	switch what {
	case "env":
		return os.Getenv(at), nil
	case "write":
		return "written", os.WriteFile(at, []byte("x"), 0o600)
	case "dial":
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
		}
		return "connected", err
	case "token":
		r, err := http.NewRequest(http.MethodGet, os.Getenv("IDENTITY_ENDPOINT")+"?api-version=2019-08-01&resource="+at, nil)
		if err != nil {
			return "", err
		}
		r.Header.Set("X-IDENTITY-HEADER", os.Getenv("IDENTITY_HEADER"))
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", err
		}
		resp.Body.Close()
		return resp.Status, nil
	}
	return "", errors.New("there is no such tool")
}

func reacher(name string, box Sandbox) Server {
	return Server{Name: name, Command: os.Args[0], Env: map[string]string{"RUNTIME_TEST_REACH": "1", "GORACE": "atexit_sleep_ms=0"}, Sandbox: box}
}

// keeps skips a test where the kernel does not keep a sandbox up; that New says so is another test.
func keeps(t *testing.T) {
	t.Helper()
	if text, whole := process.SandboxTier(); !whole {
		testlimit.Lack(t, "this kernel keeps up %s", text)
	}
}

func TestSandboxedServerReachesWhatItMay(t *testing.T) {
	keeps(t)
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/data", 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	confined := reacher("confined", Sandbox{NoNetwork: true, ReadOnly: true, Write: []string{"data"}})
	confined.Dir = dir
	_, srv := newApp(t, &Config{Servers: []Server{confined, reacher("ports", Sandbox{NoNetwork: true, Ports: []int{53, l.Addr().(*net.TCPAddr).Port}}), reacher("free", Sandbox{})}}, nil)

	c := connect(t, srv.URL+"/api/mcp/confined")
	call := func(c *client, tool, at string) string {
		t.Helper()
		text, err := c.tool(tool, fmt.Sprintf(`"at":%q`, at))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	home, temp := call(c, "env", "HOME"), call(c, "env", "TMPDIR")
	for _, ok := range []string{dir + "/data/x", home + "/x", temp + "/x", "/dev/null"} {
		if got := call(c, "write", ok); got != "written" {
			t.Errorf("write %s: %s", ok, got)
		}
	}
	for _, outside := range []string{dir + "/x", os.TempDir() + "/mcpfunc-outside", dir + "/data/../x"} {
		if got := call(c, "write", outside); !strings.Contains(got, "permission denied") {
			t.Errorf("write %s: %s", outside, got)
		}
	}
	if got := call(c, "dial", l.Addr().String()); !strings.Contains(got, "permission denied") {
		t.Errorf("dial: %s", got)
	}
	if cache := call(c, "env", "XDG_CACHE_HOME") + call(c, "env", "UV_CACHE_DIR"); cache != "" {
		t.Errorf("its caches are at %s", cache)
	}
	other := connect(t, srv.URL+"/api/mcp/confined")
	if got := call(other, "env", "HOME"); got == home {
		t.Error("two sessions have one home")
	}
	if got := call(other, "write", home+"/y"); !strings.Contains(got, "permission denied") {
		t.Errorf("write to the home of another session: %s", got)
	}
	c.do("DELETE", "")
	eventually(t, "the home goes with the session", func() bool {
		_, err := os.Stat(filepath.Dir(home))
		return errors.Is(err, fs.ErrNotExist)
	})

	p := connect(t, srv.URL+"/api/mcp/ports")
	if got := call(p, "dial", l.Addr().String()); got != "connected" {
		t.Errorf("dial a port that is listed: %s", got)
	}
	if got := call(p, "dial", strings.TrimPrefix(srv.URL, "http://")); !strings.Contains(got, "permission denied") {
		t.Errorf("dial a port that is not listed: %s", got)
	}
	if got := call(p, "env", "RES_OPTIONS"); got != "use-vc" {
		t.Errorf("names are asked for with %q", got)
	}
	if got := call(p, "write", dir+"/y"); got != "written" {
		t.Errorf("write without a sandbox of files: %s", got)
	}
	f := connect(t, srv.URL+"/api/mcp/free")
	if got := call(f, "dial", l.Addr().String()) + call(f, "env", "RES_OPTIONS"); got != "connected" {
		t.Errorf("without a sandbox: %s", got)
	}
}

// A server that acts as its user asks the broker for tokens, and needs no port in the configuration for that.
func TestSandboxedServerGetsItsTokens(t *testing.T) {
	keeps(t)
	l := newAuthLab(t, func(l *authLab, cfg *Config) {
		s := reacher("reach", Sandbox{NoNetwork: true, ReadOnly: true})
		s.method = entraAuth(l)
		cfg.Servers = append(cfg.Servers, s)
	})
	c := l.connect(t, "reach", l.token(alice))
	if got, err := c.tool("token", fmt.Sprintf(`"at":%q`, arm)); got != "200 OK" {
		t.Errorf("token: %s, %v", got, err)
	}
	if got, err := c.tool("dial", fmt.Sprintf(`"at":%q`, strings.TrimPrefix(l.url, "http://"))); !strings.Contains(got, "permission denied") {
		t.Errorf("dial the app: %s, %v", got, err)
	}
}

func TestSandboxThatCannotBeIsAnError(t *testing.T) {
	for want, box := range map[string]Sandbox{
		"is not a folder": {ReadOnly: true, Write: []string{"/no/such/folder"}},
		"invalid port 0":  {NoNetwork: true, Ports: []int{0}},
		"invalid port -1": {NoNetwork: true, Ports: []int{-1}},
	} {
		app, err := New(&Config{Servers: []Server{reacher("a", box)}}, nil)
		if err == nil {
			app.Close()
		}
		if e := (*ConfigError)(nil); !errors.As(err, &e) || !strings.HasPrefix(e.Key, "sandbox.") || e.Server != "a" || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", box, err, want)
		}
	}
}
