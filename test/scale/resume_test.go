//go:build e2e

package scale

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// A stream is what a client has got of an answer by SSE, over as many connections as it took.
type stream struct {
	last string   // the newest event id
	got  []string // data of events, in order
}

// read makes a request and reads its answer until it ends, or cut says so of the stream. It returns
// the status and, of what is no SSE, the body.
func (c caller) read(t *testing.T, method, id, body string, s *stream, cut func(*stream) bool) (status int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Mcp-Session-Id", id)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if s.last != "" {
		r.Header.Set("Last-Event-ID", s.last)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case resp.Header.Get("Content-Type") != "text/event-stream":
			text += lines.Text()
		case name == "id":
			s.last = value
		case name == "data" && value != "":
			s.got = append(s.got, value)
			if cut(s) {
				return resp.StatusCode, ""
			}
		}
	}
	if ctx.Err() != nil {
		t.Fatalf("the answer has no end after %q", s.got)
	}
	return resp.StatusCode, text
}

func never(*stream) bool { return false }

// after cuts a connection when it has brought so many events.
func after(n int) func(*stream) bool {
	return func(*stream) bool { n--; return n == 0 }
}

func counting(to, ms int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"count","arguments":{"count":%d,"ms":%d},"_meta":{"progressToken":"p"}}}`, to, ms)
}

// counted are the events of such a call, in short: numbers, and at the end what it was answered with.
func counted(s *stream) string {
	var all []string
	for _, event := range s.got {
		_, progress, _ := strings.Cut(event, `"progress":`)
		n, _, _ := strings.Cut(progress, ",")
		switch {
		case progress != "":
			all = append(all, n)
		case strings.Contains(event, `"counted"`) && strings.Contains(event, `"id":7`):
			all = append(all, "answer")
		case strings.Contains(event, `"reason":"stream_lost"`) && strings.Contains(event, `"id":7`):
			all = append(all, "lost")
		default:
			all = append(all, event)
		}
	}
	return strings.Join(all, " ")
}

// numbers are the events of a whole call.
func numbers(to int) string {
	var all []string
	for n := range to {
		all = append(all, fmt.Sprint(n+1))
	}
	return strings.Join(all, " ") + " answer"
}

// withRedis serves one server of each kind of auth by n instances that share a Redis.
func withRedis(t *testing.T, n int, servers map[string]server) (*stage, *e2etest.Redis) {
	t.Helper()
	redis := e2etest.StartRedis(t)
	return newStage(t, n, servers, slices.Concat(withKeys(newKey()), settings{"MCPFUNC_REDIS_URL=" + redis.URL})), redis
}

// A call goes on while its client's connection is cut again and again, and the client comes back to
// another instance each time: it gets every event once, in order, and the answer. The server need not
// be one whose sessions another process may take over.
func TestCutCallGoesOnAtAnyInstance(t *testing.T) {
	s, _ := withRedis(t, 3, map[string]server{"fast": {"command": fastServer(t)}})
	const steps = 60
	var calls sync.WaitGroup
	for range at(8, 3) {
		calls.Go(func() {
			home := s.up()[0].at("fast")
			id := home.open(t)
			got := new(stream)
			home.read(t, http.MethodPost, id, counting(steps, 100), got, after(5))
			for turn := 1; !strings.HasSuffix(counted(got), "answer") && turn < 20; turn++ {
				there := s.up()[turn%3].at("fast")
				if status, text := there.read(t, http.MethodGet, id, "", got, after(7)); status != http.StatusOK {
					t.Errorf("GET at %s: %d %s", there.url, status, text)
					return
				}
			}
			if want := numbers(steps); counted(got) != want {
				t.Errorf("got %s\nwant %s", counted(got), want)
			}
		})
	}
	calls.Wait()
	if n := len(s.processes(t)); n != at(8, 3) {
		t.Errorf("%d processes, want one a session: to follow a stream starts none", n)
	}
}

// What the instance of a call has written is there when it has been killed, and nothing is left out in
// silence.
func TestCallOfAKilledInstanceIsAnsweredElsewhere(t *testing.T) {
	s, _ := withRedis(t, 3, map[string]server{"fast": {"command": fastServer(t), "stateless": true}})
	a, b, c := s.up()[0], s.up()[1], s.up()[2]
	id := a.at("fast").open(t)
	got := new(stream)
	a.at("fast").read(t, http.MethodPost, id, counting(100, 100), got, after(3))
	var killing sync.WaitGroup
	began := time.Now()
	status, text := b.at("fast").read(t, http.MethodGet, id, "", got, func(s2 *stream) bool {
		if len(s2.got) == 15 {
			began = time.Now()
			killing.Go(func() { s.kill(t, a) })
		}
		return false
	})
	killing.Wait()
	if status == http.StatusOK && !strings.HasSuffix(counted(got), "lost") { // it was passed on, has broken off, and the client comes to a third
		status, text = c.at("fast").read(t, http.MethodGet, id, "", got, never)
	}
	t.Logf("answered %.1f s after the kill: %s", time.Since(began).Seconds(), counted(got))
	n := len(got.got) - 1
	if status != http.StatusOK || n < 15 || counted(got) != strings.TrimSuffix(numbers(n), "answer")+"lost" {
		t.Errorf("%d %s: %s", status, text, counted(got))
	}
	b.at("fast").call(t, id)
}

func TestStreamIsUnknownToOthers(t *testing.T) {
	const resource = "https://mcp.example/jwt"
	issuer := e2etest.StartIssuer(t)
	s, store := withRedis(t, 2, map[string]server{"fast": server{"command": fastServer(t), "stateless": true}.with(protected(issuer, resource))})
	on := func(i int, user string) caller {
		return caller{url: s.up()[i].at("fast").url, token: issuer.Token(t, user, resource, "files:read")}
	}
	id := on(0, "alice").open(t)
	mine := new(stream)
	on(0, "alice").read(t, http.MethodPost, id, counting(40, 100), mine, after(3))
	theirs := &stream{last: mine.last}
	unknown := on(1, "bob").send(t, http.MethodGet, "mcpf-nobody-ever-had-this-one", "")
	for i := range 2 {
		if status, text := on(i, "bob").read(t, http.MethodGet, id, "", theirs, never); status != http.StatusNotFound || text != unknown.body || len(theirs.got) > 0 {
			t.Errorf("another principal got %d %s %q", status, text, theirs.got)
		}
	}
	if status, _ := on(1, "alice").read(t, http.MethodGet, id, "", mine, never); status != http.StatusOK || counted(mine) != numbers(40) {
		t.Errorf("and its own: %d, %s", status, counted(mine))
	}
	for _, value := range dump(t, store) {
		if strings.Contains(value, "progress") || strings.Contains(value, "counted") || strings.Contains(value, id) || strings.Contains(value, "alice") {
			t.Errorf("Redis shows %q", value)
		}
	}
}

// dump returns all that Redis holds.
func dump(t *testing.T, r *e2etest.Redis) (all []string) {
	t.Helper()
	c := redis.NewClient(optionsOf(t, r))
	defer c.Close()
	for _, key := range c.Keys(t.Context(), "*").Val() {
		all = append(all, key)
		for _, m := range c.XRange(t.Context(), key, "-", "+").Val() {
			all = append(all, fmt.Sprint(m))
		}
	}
	if len(all) < 10 {
		t.Errorf("Redis holds %q, want a log", all)
	}
	return all
}

// Without Redis a client that comes back elsewhere is told to try again, and the call goes on where it is.
func TestCutCallWithoutRedisIsAnsweredAsEver(t *testing.T) {
	s, store := withRedis(t, 2, map[string]server{"fast": {"command": fastServer(t), "stateless": true}})
	a, b := s.up()[0].at("fast"), s.up()[1].at("fast")
	id := a.open(t)
	got := new(stream)
	a.read(t, http.MethodPost, id, counting(30, 100), got, after(3))
	store.Stop()
	lost := &stream{last: got.last}
	if status, text := b.read(t, http.MethodGet, id, "", lost, never); status != http.StatusServiceUnavailable || !strings.Contains(text, "try again") {
		t.Errorf("elsewhere: %d %s, %s", status, text, counted(lost))
	}
	if status, _ := a.read(t, http.MethodGet, id, "", got, never); status != http.StatusOK || counted(got) != numbers(30) {
		t.Errorf("where it is: %d, %s", status, counted(got))
	}
}

// Clients that we did not write come back by themselves, by way of a front that cuts every answer off,
// as the load balancer of Azure does after 230 s.
func TestClientsFinishCallsThatAreLongerThanTheirConnections(t *testing.T) {
	s, _ := withRedis(t, 3, map[string]server{"fast": {"command": fastServer(t), "stateless": true}})
	s.cut = 1500 * time.Millisecond
	j := job{Server: "fast", Steps: []step{{"count", `{"count": 12, "ms": 400}`, "counted"}}}
	var playing sync.WaitGroup
	for _, c := range clients() {
		playing.Go(func() {
			o := c.loop(t, s.Endpoint(j.Server), 4, sessionsPerClient, j)
			t.Logf("%-10s %d calls, %d failed, %d sessions begun", c.name, o.Calls, o.Failed, o.Begun)
			if o.Failed > 0 || o.Begun != sessionsPerClient {
				t.Errorf("%s: %d calls failed, %d sessions were begun:\n%s", c.name, o.Failed, o.Begun, strings.Join(o.Errors, "\n"))
			}
		})
	}
	playing.Wait()
}

// Of the stream that belongs to no call, a client gets what it has missed, and what is said from then on, through
// the instance that it reached.
func TestStandaloneStreamGoesOnElsewhere(t *testing.T) {
	s, _ := withRedis(t, 2, map[string]server{"fast": {"command": fastServer(t), "stateless": true}})
	a, b := s.up()[0].at("fast"), s.up()[1].at("fast")
	id := a.open(t)
	change := func(n int) {
		for range n {
			a.send(t, http.MethodPost, id, `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"change"}}`)
		}
	}
	change(2)
	got := new(stream)
	a.read(t, http.MethodGet, id, "", got, after(2))
	life := got.last[len("0-2-"):]
	change(3)
	var calling sync.WaitGroup
	status, text := b.read(t, http.MethodGet, id, "", got, func(s *stream) bool {
		if s.last == "0-5-"+life && len(s.got) == 5 {
			calling.Go(func() { change(1) })
		}
		return s.last == "0-6-"+life
	})
	calling.Wait()
	if status != http.StatusOK || len(got.got) != 6 {
		t.Errorf("%d %s: %q", status, text, got.got)
	}
	for _, event := range got.got {
		if !strings.Contains(event, "tools/list_changed") {
			t.Errorf("the client was told %s", event)
		}
	}
}

func optionsOf(t *testing.T, r *e2etest.Redis) *redis.Options {
	t.Helper()
	o, err := redis.ParseURL(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	return o
}
