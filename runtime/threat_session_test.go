package mcpfunc

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

// The tests in the threat files are named after the threat model of the project; docs/reference/auth.md has
// it in words.

// unknownID has the form of a minted id, and was never given out.
const unknownID = "mcpf-AAAAAAAAAAAAAAAAAAAAAAAAAA"

func TestT30IdsCannotBePlanted(t *testing.T) {
	l := newAuthLab(t)
	mallory, victim := l.client(t, "entra", l.token(bob)), l.client(t, "entra", l.token(alice))
	mallory.session = unknownID
	for _, method := range []string{"POST", "GET", "DELETE"} {
		if r := mallory.do(method, listTools); r.status != http.StatusNotFound {
			t.Errorf("%s with an id that looks like ours: %d", method, r.status)
		}
	}
	mallory.session = "session-12345"
	waiting := mallory.begin("GET", "") // waits, and starts nothing
	defer waiting.Body.Close()
	if n := len(l.started()); n != 0 {
		t.Errorf("%d processes for requests that open nothing", n)
	}
	if r := mallory.do("POST", listTools); r.status != http.StatusOK {
		t.Fatalf("an id of her own: %d %s", r.status, r.body)
	}
	victim.session = mallory.session // as a link or a page might make the victim's client do
	theirs, err := victim.tool("pid", "")
	if err != nil {
		t.Fatal(err)
	}
	if hers, err := mallory.tool("pid", ""); err != nil || hers == theirs {
		t.Errorf("both reach process %s (%v)", hers, err)
	}
}

func TestT30ChosenIdsCanBeForbidden(t *testing.T) {
	l := newAuthLab(t, func(_ *authLab, cfg *Config) { cfg.Servers[entraServer].RejectClientIDs = true })
	c := l.client(t, "entra", l.token(alice))
	c.session = "session-12345"
	for _, method := range []string{"POST", "GET", "DELETE"} {
		if r := c.do(method, listTools); r.status != http.StatusNotFound {
			t.Errorf("%s: %d", method, r.status)
		}
	}
	if r := c.do("POST", initialize); r.header.Get("Mcp-Session-Id") == c.session {
		t.Error("initialize took over an id that the client chose")
	}
}

// Another tenant's user, another user, and another program of the same user know the id of a session,
// and the id of an event in it.
func TestT31SessionsCannotBeHijacked(t *testing.T) {
	l := newAuthLab(t)
	victim := l.connect(t, "entra", l.token(alice))
	stream := victim.begin("GET", "")
	defer stream.Body.Close()
	lastID, _, ok := strings.Cut(strings.TrimPrefix(readEvent(t, stream), "id: "), "\n")
	if !ok {
		t.Fatal("the stream does not begin with an id")
	}
	old := l.client(t, "entra", l.token(alice)) // a session by HTTP with SSE
	old.url += "/sse"
	endpoint := old.begin("GET", "")
	defer endpoint.Body.Close()
	_, posts, ok := strings.Cut(readEvent(t, endpoint), "data: ")
	if posts = strings.TrimSpace(posts); !ok {
		t.Fatal("no endpoint")
	}

	for name, change := range map[string]func(*fakeentra.Token){
		"another user":             func(t *fakeentra.Token) { t.ObjectID = bob },
		"a user of another tenant": func(t *fakeentra.Token) { t.Tenant = elsewhere },
		"another program":          func(t *fakeentra.Token) { t.ClientID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46" },
	} {
		attacker, innocent := l.client(t, "entra", l.token(alice, change)), l.client(t, "entra", l.token(alice, change))
		attacker.session, innocent.session = victim.session, unknownID
		for _, try := range []struct{ method, body, header string }{
			{"POST", listTools, "X: 1"}, {"POST", `{"jsonrpc":"2.0","method":"notifications/cancelled"}`, "X: 1"},
			{"GET", "", "X: 1"}, {"GET", "", "Last-Event-ID: " + lastID}, {"DELETE", "", "X: 1"},
		} {
			got, want := attacker.do(try.method, try.body, try.header), innocent.do(try.method, try.body, try.header)
			got.header.Del("Date")
			want.header.Del("Date")
			if got.status != http.StatusNotFound || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s, %s %s: %v, an unknown id gets %v", name, try.method, try.body, got, want)
			}
		}
		attacker.url, attacker.session = l.url+posts, ""
		if r := attacker.do("POST", listTools); r.status != http.StatusNotFound {
			t.Errorf("%s, HTTP with SSE: %d", name, r.status)
		}
	}
	if got, err := victim.tool("echo", `"text":"unharmed"`); got != "unharmed" {
		t.Errorf("the victim's session: %q, %v", got, err)
	}
	if s := l.app.Stats(); s.Opened != 2 || s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
}

// readEvent reads one event of a stream.
func readEvent(t *testing.T, resp *http.Response) string {
	t.Helper()
	var event strings.Builder
	in := bufio.NewReader(resp.Body)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\n" {
			return event.String()
		}
		event.WriteString(line)
	}
}

// A bridge once gave a request without a session the only session that there was
// (byterover-cli#329).
func TestT32OnlySessionIsNobodysDefault(t *testing.T) {
	l := newAuthLab(t)
	victim := l.connect(t, "entra", l.token(alice))
	theirs, err := victim.tool("pid", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{l.token(bob), l.token(alice)} {
		other := l.client(t, "entra", token) // without a session
		if pid, err := other.tool("pid", ""); err != nil || pid == theirs {
			t.Errorf("got process %s (%v)", pid, err)
		}
	}
}

// A gateway once made session ids of the user's name in a token that it had not verified
// (envoy ai-gateway#2640).
func TestT32IdsAreNotMadeOfTokens(t *testing.T) {
	l := newAuthLab(t)
	token := l.issuer.token("alice", nil)
	first, second := l.connect(t, "issuer", token), l.connect(t, "issuer", token)
	if first.session == second.session || len(first.session) < len("mcpf-")+26 || strings.Contains(first.session, "alice") {
		t.Errorf("ids %q and %q", first.session, second.session)
	}
	forged := token[:strings.LastIndexByte(token, '.')+1] + strings.Repeat("A", 342) // says that it is alice's
	c := l.client(t, "issuer", forged)
	c.session = first.session
	if r := c.do("POST", listTools); r.status != http.StatusUnauthorized {
		t.Errorf("a token that nobody signed: %d", r.status)
	}
}

// A server once read tokens without verifying them when it could not verify them (neotoma 0.22.1).
func TestT32UnverifiableTokensAreNotRead(t *testing.T) {
	l := newAuthLab(t)
	l.issuer.down.Store(true)
	c := l.client(t, "issuer", l.issuer.token("alice", nil))
	if r := c.do("POST", initialize); r.status != http.StatusServiceUnavailable {
		t.Errorf("without keys: %d", r.status)
	}
	unsigned := strings.Split(l.issuer.token("alice", nil), ".")
	c.bring("eyJhbGciOiJub25lIn0." + unsigned[1] + ".") // {"alg":"none"}
	if r := c.do("POST", initialize); r.status != http.StatusUnauthorized {
		t.Errorf("alg none: %d", r.status)
	}
	if l.app.Stats().Opened != 0 {
		t.Error("a session was opened")
	}
}

// An SDK once took a session's id for proof of who is calling (GHSA-f6c5-f2ph-7x7p).
func TestT32IdIsNoCredential(t *testing.T) {
	l := newAuthLab(t)
	victim := l.connect(t, "issuer", l.issuer.token("alice", nil))
	for token, want := range map[string]int{"": 401, "garbage": 401, l.issuer.token("bob", nil): 404} {
		c := l.client(t, "issuer", token)
		c.session = victim.session
		for _, method := range []string{"POST", "GET", "DELETE"} {
			if r := c.do(method, listTools); r.status != want {
				t.Errorf("%s: %d, want %d", method, r.status, want)
			}
		}
	}
}

func TestT33NobodySeesAnothersCanary(t *testing.T) {
	const users, sessions, calls = 6, 3, 25
	l := newAuthLab(t)
	var wg sync.WaitGroup
	for user := range users {
		for k := range sessions {
			wg.Go(func() {
				name := fmt.Sprintf("user-%d", user)
				c := l.connect(t, "issuer", l.issuer.token(name, nil))
				for i := range calls {
					if i%5 == 0 {
						c.bring(l.issuer.token(name, map[string]any{"jti": fmt.Sprint(i)}))
						if got := c.env("OAUTH_USER_ID"); got != name {
							t.Errorf("%s is in a process of %s", name, got)
						}
					}
					canary := fmt.Sprintf("canary-%d-%d-%d", user, k, i)
					if got, err := c.tool("echo", fmt.Sprintf(`"text":%q`, canary)); got != canary {
						t.Errorf("%s got %q (%v)", canary, got, err)
					}
				}
			})
		}
	}
	wg.Wait()
	if s := l.app.Stats(); s.Opened != users*sessions {
		t.Errorf("%d sessions, want %d", s.Opened, users*sessions)
	}
}

// Tokens of one user arrive in any order. What counts is the one that was issued last.
func TestT34LastIssuedTokenCounts(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time {
		if minute < 0 {
			return time.Time{}
		}
		return time.Unix(1_800_000_000, 0).Add(time.Duration(minute) * time.Minute)
	}
	for name, tt := range map[string]struct {
		now, later [2]int // minutes of iat and exp; -1 where the issuer does not say
		taken      bool
	}{
		"a refreshed token":                    {[2]int{0, 60}, [2]int{50, 110}, true},
		"the old one, late":                    {[2]int{50, 110}, [2]int{0, 60}, false},
		"a long one after a short one":         {[2]int{0, 60}, [2]int{50, 1490}, true},
		"a short one after a long one":         {[2]int{0, 1440}, [2]int{50, 110}, true}, // a claims challenge was met
		"a long old one after a short one":     {[2]int{50, 110}, [2]int{0, 1440}, false},
		"issued together, lasting longer":      {[2]int{0, 60}, [2]int{0, 90}, true},
		"issued together, ending sooner":       {[2]int{0, 90}, [2]int{0, 60}, false},
		"of an issuer without iat":             {[2]int{-1, 60}, [2]int{-1, 110}, true},
		"of an issuer without iat, late":       {[2]int{-1, 110}, [2]int{-1, 60}, false},
		"of an issuer that says nothing":       {[2]int{-1, -1}, [2]int{-1, -1}, true},
		"with an end after one without an end": {[2]int{-1, -1}, [2]int{-1, 60}, true},
	} {
		opened, later := &identity{}, &identity{}
		opened.newest.Store(&authn.Caller{Token: "now", IssuedAt: at(tt.now[0]), Expires: at(tt.now[1])})
		later.newest.Store(&authn.Caller{Token: "later", IssuedAt: at(tt.later[0]), Expires: at(tt.later[1])})
		opened.Renew(later)
		if got := opened.newest.Load().Token == "later"; got != tt.taken {
			t.Errorf("%s: taken %t, want %t", name, got, tt.taken)
		}
	}
}

func TestT34LostScopesEndTheSession(t *testing.T) {
	l := newAuthLab(t)
	scopes := func(scope string, age time.Duration) string {
		return l.issuer.token("alice", map[string]any{"scope": scope, "iat": time.Now().Add(-age).Unix()})
	}
	c := l.connect(t, "issuer", scopes("files:read files:write", time.Minute))
	for _, step := range []struct {
		what, token string
		want        int
	}{
		{"an older token with fewer scopes", scopes("files:read", time.Hour), 200},
		{"a newer token with more", scopes("files:read files:write files:share", 30*time.Second), 200},
		{"a newer token with fewer", scopes("files:read", 0), 404}, // OAUTH_SCOPES says otherwise
		{"the one before, again", scopes("files:read files:write", time.Minute), 404},
	} {
		c.bring(step.token)
		if r := c.do("POST", listTools); r.status != step.want {
			t.Errorf("%s: %d, want %d", step.what, r.status, step.want)
		}
	}
}

func TestT35SessionsOfOneUserDoNotCrowdOutOthers(t *testing.T) {
	const each, all = 3, 5
	l := newAuthLab(t, func(_ *authLab, cfg *Config) {
		cfg.Servers[issuerServer].MaxPerCaller = each
		cfg.MaxSessions = all
	})
	calm := l.connect(t, "issuer", l.issuer.token("calm", nil))
	hold := calm.begin("GET", "") // in use, so that it is not the one to go
	defer hold.Body.Close()
	var wg sync.WaitGroup
	for i := range 60 {
		token := "garbage"
		if i%2 == 0 { // through as many programs as he likes
			token = l.issuer.token("greedy", map[string]any{"client_id": fmt.Sprint(i)})
		}
		wg.Go(func() {
			c := l.client(t, "issuer", token)
			r := c.do("POST", initialize)
			switch {
			case token == "garbage" && r.status != http.StatusUnauthorized:
				t.Errorf("garbage: %d", r.status)
			case r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") == "":
				t.Error("full, without Retry-After")
			}
			if s := l.app.Stats(); s.Sessions > each+1 {
				t.Errorf("%d sessions, of one user %d at most and one of another's", s.Sessions, each)
			}
		})
	}
	wg.Wait()
	if got, err := calm.tool("echo", `"text":"unharmed"`); got != "unharmed" {
		t.Errorf("the other user's session: %q, %v", got, err)
	}
}
