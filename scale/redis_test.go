//go:build e2e

package scale

import (
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// A redisServer is a real one, on a port of its own and with a password.
type redisServer struct {
	port string
	cmd  *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	r := &redisServer{port: port}
	t.Cleanup(r.stop)
	r.start(t)
	return r
}

func (r *redisServer) start(t *testing.T) {
	t.Helper()
	r.cmd = exec.Command("redis-server", "--port", r.port, "--bind", "127.0.0.1", "--requirepass", "hunter2", "--save", "", "--appendonly", "no")
	r.cmd.Dir = t.TempDir()
	if err := r.cmd.Start(); err != nil {
		t.Fatalf("%v (apt-get install redis-server)", err)
	}
	listens := eventually(10*time.Second, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+r.port)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
	if !listens {
		t.Fatal("redis-server does not listen")
	}
}

func (r *redisServer) stop() {
	if r.cmd != nil {
		r.cmd.Process.Kill()
		r.cmd.Wait()
		r.cmd = nil
	}
}

func (r *redisServer) settings() settings {
	return settings{"MCPFUNC_REDIS_URL=redis://:hunter2@127.0.0.1:" + r.port}
}

// A session that a client ends on one instance is over on all of them: on those that serve it and on
// those that would otherwise take it over. While Redis is away nothing is taken over, what runs goes
// on, and what ends meanwhile is over everywhere as soon as Redis is back.
func TestDeleteIsRememberedByEveryInstance(t *testing.T) {
	redis := startRedis(t)
	s := newStage(t, 3, map[string]server{"fast": {"command": program(t, fastServer), "stateless": true}},
		slices.Concat(withKeys(newKey()), redis.settings()))
	a, b, c := s.up()[0].at("fast"), s.up()[1].at("fast"), s.up()[2].at("fast")
	none := func() bool { return len(s.processes(t)) == 0 }
	gone := func(id string, on ...caller) {
		t.Helper()
		for _, i := range on {
			if got := i.send(t, http.MethodPost, id, echo); got.status != http.StatusNotFound {
				t.Errorf("an ended session at %s: %+v", i.url, got)
			}
		}
	}

	id := a.open(t)
	b.call(t, id)
	if got := c.send(t, http.MethodDelete, id, ""); got.status >= 300 {
		t.Fatalf("DELETE on an instance that does not hold the session: %+v", got)
	}
	if !eventually(10*time.Second, none) {
		t.Errorf("the session's processes go on: %v", s.processes(t))
	}
	gone(id, a, b, c)

	id = a.open(t)
	other := a.open(t)
	b.call(t, id)
	redis.stop()
	a.call(t, id)
	b.call(t, id)
	if got := c.send(t, http.MethodPost, id, echo); !strings.Contains(got.body, `"reason":"session_unsure"`) || !strings.Contains(got.body, `"retryable":true`) {
		t.Errorf("a session that may be over, while nobody knows: %+v", got)
	}
	if got := a.send(t, http.MethodDelete, id, ""); got.status >= 300 {
		t.Errorf("DELETE without Redis: %+v", got)
	}
	gone(id, a)
	redis.start(t)
	if !eventually(40*time.Second, func() bool { return len(s.processes(t)) == 1 }) {
		t.Errorf("the session goes on where another instance ended it: %v", s.processes(t))
	}
	gone(id, a, b)
	if !eventually(10*time.Second, func() bool { return c.send(t, http.MethodPost, id, echo).status == http.StatusNotFound }) {
		t.Error("the session may still be taken over")
	}
	c.call(t, other)
}
