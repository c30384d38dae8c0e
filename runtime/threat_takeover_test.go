package mcpfunc

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

// sessionKey returns a new key as an app setting has it.
func sessionKey() string {
	key := make([]byte, 32)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

// instances returns an instance of an app for each of these keys. They have the same providers and
// servers, which keep nothing between calls.
func instances(t *testing.T, keys ...string) []*authLab {
	t.Helper()
	var cfg Config
	first := newAuthLab(t, func(_ *authLab, c *Config) {
		c.sessionKeys = keys[0]
		for i := range c.Servers {
			c.Servers[i].Stateless = true
		}
		cfg = *c
	})
	all := []*authLab{first}
	for _, key := range keys[1:] {
		all = append(all, first.instance(t, cfg, key))
	}
	return all
}

// instance starts another instance of l's app. It is l that sees that nothing is left over.
func (l *authLab) instance(t *testing.T, cfg Config, keys string) *authLab {
	t.Helper()
	cfg.sessionKeys = keys
	other := &authLab{entra: l.entra, issuer: l.issuer}
	app, err := New(&cfg, &Options{
		Logger:    slog.New(slog.NewJSONHandler(&other.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Launcher:  LauncherFunc(other.launch),
		transport: l.entra.Client().Transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(app)
	t.Cleanup(func() {
		app.Close()
		srv.CloseClientConnections()
		srv.Close()
	})
	other.app, other.url = app, srv.URL
	return other
}

// on is c at another instance.
func (l *authLab) on(c *client, server string) *client {
	return &client{t: c.t, url: l.url + "/api/mcp/" + server, header: c.header, session: c.session}
}

// attempts are what is tried with an id of someone else's. initialize is not among them: whatever the id, it opens a
// new session of the one who sends it.
var attempts = []struct{ method, body, header string }{
	{"POST", listTools, "X: 1"}, {"POST", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, "X: 1"},
	{"POST", `{"jsonrpc":"2.0","id":1,"result":{}}`, "X: 1"}, {"POST", "[" + listTools + "]", "X: 1"},
	{"GET", "", "X: 1"}, {"GET", "", "Last-Event-ID: 0-1-AAAAAA"}, {"GET", "", "Last-Event-ID: 2-1-AAAAAA-MQ"}, {"DELETE", "", "X: 1"},
}

// unknown tries everything with c's id, and sees that it is as unknown as one that never was.
func (c *client) unknown(what string) {
	c.t.Helper()
	innocent := *c
	innocent.session = unknownID
	for _, try := range attempts {
		got, want := c.do(try.method, try.body, try.header), innocent.do(try.method, try.body, try.header)
		got.header.Del("Date")
		want.header.Del("Date")
		if got.status != http.StatusNotFound || fmt.Sprint(got) != fmt.Sprint(want) {
			c.t.Errorf("%s, %s %s: %v, an unknown id gets %v", what, try.method, try.body, got, want)
		}
	}
}

// An initialize that carries someone else's id opens a session of its sender's own, and ends no other.
func TestT31InitializeWithAnIDOfAnotherOpensANewSession(t *testing.T) {
	key := sessionKey()
	all := instances(t, key, key)
	here, there := all[0], all[1]
	victim := here.connect(t, "entra", here.token(alice))
	for _, at := range all {
		attacker := at.client(t, "entra", at.token(alice, func(t *fakeentra.Token) { t.ObjectID = bob }))
		attacker.session = victim.session
		r := attacker.do("POST", initialize)
		if id := r.header.Get("Mcp-Session-Id"); r.status != http.StatusOK || id == "" || id == victim.session {
			t.Errorf("%d with the id %q", r.status, id)
		}
	}
	if _, err := victim.tool("echo", `"text":"x"`); err != nil {
		t.Errorf("the victim: %v", err)
	}
	if n := len(there.started()); n != 1 {
		t.Errorf("%d processes on the other instance, want the attacker's own", n)
	}
}

func TestT31SessionsCannotBeHijackedOnAnotherInstance(t *testing.T) {
	key := sessionKey()
	all := instances(t, key, key)
	here, there := all[0], all[1]
	victim := here.connect(t, "entra", here.token(alice))
	for name, change := range map[string]func(*fakeentra.Token){
		"another user":             func(t *fakeentra.Token) { t.ObjectID = bob },
		"a user of another tenant": func(t *fakeentra.Token) { t.Tenant = elsewhere },
		"another program":          func(t *fakeentra.Token) { t.ClientID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46" },
	} {
		attacker := there.client(t, "entra", there.token(alice, change))
		attacker.session = victim.session
		attacker.unknown(name)
	}
	for _, server := range []string{"issuer", "open"} {
		attacker := there.client(t, server, here.issuer.token("alice", nil))
		attacker.session = victim.session
		attacker.unknown("at the server " + server)
	}
	if n := len(there.started()); n != 0 {
		t.Fatalf("%d processes were started for attackers", n)
	}
	if got, err := there.on(victim, "entra").tool("echo", `"text":"mine"`); got != "mine" {
		t.Errorf("the victim's own: %q, %v", got, err)
	}
}

func TestT31IdsCannotBeForged(t *testing.T) {
	key := sessionKey()
	all := instances(t, key, key, sessionKey())
	here, there, foreign := all[0], all[1], all[2]
	honest := here.connect(t, "open", "")
	id := honest.session
	flipped := []byte(id)
	flipped[len(id)/2] ^= 1
	for name, forged := range map[string]string{
		"truncated":   id[:len(id)-1],
		"longer":      id + "A",
		"changed":     string(flipped),
		"cut short":   id[:40],
		"foreign key": foreign.connect(t, "open", "").session,
		"too long":    id + strings.Repeat("A", 8<<10),
		"of nothing":  "mcpf-a",
	} {
		attacker := there.client(t, "open", "")
		attacker.session = forged
		attacker.unknown(name)
	}
	if n := len(there.started()); n != 0 {
		t.Errorf("%d processes were started", n)
	}
	for _, secret := range []string{key, id} {
		if strings.Contains(here.log.String()+there.log.String(), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

// Keys are replaced while a session goes on: no request fails for it until the old key is gone.
func TestSessionOutlivesItsKey(t *testing.T) {
	before, after := sessionKey(), sessionKey()
	all := instances(t, before, after+","+before, after)
	here, both, later := all[0], all[1], all[2]
	c := here.connect(t, "open", "")
	if _, err := both.on(c, "open").tool("echo", `"text":"x"`); err != nil {
		t.Errorf("with the new key first and the old one second: %v", err)
	}
	young := both.connect(t, "open", "")
	if _, err := later.on(young, "open").tool("echo", `"text":"x"`); err != nil {
		t.Errorf("of a session that the new key sealed: %v", err)
	}
	later.on(c, "open").unknown("the old key is gone")
}

func TestT35OneLostSessionIsOneProcess(t *testing.T) {
	key := sessionKey()
	all := instances(t, key, key)
	here, there := all[0], all[1]
	c := there.on(here.connect(t, "issuer", here.issuer.token("alice", nil)), "issuer")
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}`, i)
			if r := c.do("POST", body); r.status != http.StatusOK || !strings.Contains(r.body, `"x"`) {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
	wg.Wait()
	if n, s := len(there.started()), there.app.Stats(); n != 1 || s.Resurrected != 1 || s.Sessions != 1 {
		t.Errorf("%d processes, %+v", n, s)
	}
}

func TestT35LostSessionsAreAdmittedAsNewOnesAre(t *testing.T) {
	key := sessionKey()
	all := instances(t, key, key)
	here, there := all[0], all[1]
	there.app.byName["issuer"].endpoint.Server.MaxPerPrincipal = 1
	first := there.on(here.connect(t, "issuer", here.issuer.token("alice", nil)), "issuer")
	second := there.on(here.connect(t, "issuer", here.issuer.token("alice", nil)), "issuer")
	if _, err := first.tool("echo", `"text":"x"`); err != nil {
		t.Fatal(err)
	}
	hold := first.begin("GET", "") // in use, so that it is not the one to go
	defer hold.Body.Close()
	if r := second.do("POST", listTools); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("beyond what one caller may have: %d %s", r.status, r.body)
	}
	if n := len(there.started()); n != 1 {
		t.Errorf("%d processes", n)
	}
}

// Ended here, an id is of no use here any more, and to nobody: also not to its holder.
func TestDeletedSessionIsGoneWhereItWasDeleted(t *testing.T) {
	key := sessionKey()
	all := instances(t, key, key)
	here, there := all[0], all[1]
	c := here.connect(t, "open", "")
	elsewhere := there.on(c, "open")
	if r := elsewhere.do("DELETE", ""); r.status != http.StatusNoContent {
		t.Errorf("DELETE on an instance that never had it: %d", r.status)
	}
	elsewhere.unknown("deleted")
	if n := len(there.started()); n != 0 {
		t.Errorf("%d processes", n)
	}
}

func TestBadSessionKeysStopTheApp(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{"x", sessionKey() + ",", sessionKey()[:20], sessionKey() + ";" + sessionKey()} {
		_, err := New(&Config{Servers: []Server{self("a")}}, &Options{SessionKeys: keys, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.HasPrefix(err.Error(), "MCPFUNC_SESSION_KEY: ") || len(keys) > 1 && strings.Contains(err.Error(), keys[:8]) {
			t.Errorf("%q: %v", keys, err)
		}
	}
	_, err := New(&Config{Servers: []Server{self("a")}}, &Options{SessionKeys: sessionKey(), RedisURL: "redis://:canary@%zz", Logger: slog.New(slog.DiscardHandler)})
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("an invalid URL: %v", err)
	}
}
