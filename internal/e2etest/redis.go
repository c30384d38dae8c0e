package e2etest

import (
	"net"
	"os/exec"
	"testing"
	"time"
)

// RedisPassword is that of every Redis, for tests that look for it where it must not be.
const RedisPassword = "hunter2"

// A Redis is a real redis-server that keeps nothing when it ends.
type Redis struct {
	URL     string
	address string
	cmd     *exec.Cmd // nil while it is down
}

// StartRedis starts one that lives as long as the test, on a port of its own and with a password.
func StartRedis(t testing.TB) *Redis {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Redis{address: listener.Addr().String()}
	r.URL = "redis://:" + RedisPassword + "@" + r.address + "/0"
	listener.Close()
	t.Cleanup(r.Stop)
	r.Start(t)
	return r
}

// Start starts it again, at the same address, and waits until it listens.
func (r *Redis) Start(t testing.TB) {
	t.Helper()
	host, port, err := net.SplitHostPort(r.address)
	if err != nil {
		t.Fatal(err)
	}
	r.cmd = exec.Command("redis-server", "--port", port, "--bind", host, "--requirepass", RedisPassword, "--save", "", "--appendonly", "no")
	r.cmd.Dir = t.TempDir()
	if err := r.cmd.Start(); err != nil {
		r.cmd = nil
		t.Fatalf("%v (apt-get install redis-server)", err)
	}
	listens := Eventually(20*time.Second, func() bool {
		conn, err := net.Dial("tcp", r.address)
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

// Stop kills it, if it runs.
func (r *Redis) Stop() {
	if r.cmd != nil {
		r.cmd.Process.Kill()
		r.cmd.Wait()
		r.cmd = nil
	}
}
