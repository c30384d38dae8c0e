package e2etest

import (
	"net"
	"os/exec"
	"testing"
	"time"
)

// RedisPassword is that of every Redis, for tests that look for it where it must not be.
const RedisPassword = "hunter2"

// A Redis is a real redis-server. It keeps nothing when it ends, unless its options say so.
type Redis struct {
	URL     string
	Address string
	options []string // of its command line, besides ours
	dir     string
	cmd     *exec.Cmd // nil while it is down
}

// RedisURL is that of a Redis at an address.
func RedisURL(address string) string { return "redis://:" + RedisPassword + "@" + address + "/0" }

// StartRedis starts one that lives as long as the test, on a port of its own and with a password.
func StartRedis(t testing.TB, options ...string) *Redis {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	r := &Redis{URL: RedisURL(address), Address: address, options: options, dir: t.TempDir()}
	listener.Close()
	t.Cleanup(r.Stop)
	r.Start(t)
	return r
}

// Start starts it again, at the same address, and waits until it listens.
func (r *Redis) Start(t testing.TB) {
	t.Helper()
	host, port, err := net.SplitHostPort(r.Address)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--port", port, "--bind", host, "--requirepass", RedisPassword, "--masterauth", RedisPassword, "--save", "", "--appendonly", "no"}
	r.cmd = exec.Command("redis-server", append(args, r.options...)...)
	r.cmd.Dir = r.dir
	if err := r.cmd.Start(); err != nil {
		r.cmd = nil
		t.Fatalf("%v (apt-get install redis-server)", err)
	}
	listens := Eventually(20*time.Second, func() bool {
		conn, err := net.Dial("tcp", r.Address)
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
