package main

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// elsewhere are two instances of an app that reach each other by Redis: sessions are opened at one, and all that
// follows is asked of the other, so that each call is passed on. shared is one instance that could pass calls on, and is
// asked where its sessions are.
const (
	elsewhere = "elsewhere"
	shared    = "shared"
)

var elsewhereContender = contender{
	name: elsewhere, about: "the same handler with sessions of another instance, to which it forwards calls through Redis; CPU and memory are those of the first instance",
	only: []string{"echo 1×1", "echo 8×4", "answers 1 MiB"}, start: startElsewhere, absent: withoutRedis(),
}

var sharedContender = contender{
	name: shared, about: "the same handler with `MCPFUNC_REDIS_URL`, for calls of sessions that are on this instance",
	only: []string{"echo 1×1", "echo 8×4"}, absent: withoutRedis(), start: func(l *lab, measure string) (*running, error) {
		all, _, stop, err := l.share(measure, 1)
		if err != nil {
			return nil, err
		}
		all[0].stop = stop
		return all[0], nil
	},
}

func withoutRedis() string {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return "there is no redis-server"
	}
	return ""
}

// others are the processes that take part in a call beside the contender's own.
type others struct {
	owner *proc
	redis string // its address
}

// share starts a Redis, and instances of an app that share it.
func (l *lab) share(measure string, instances int) (all []*running, redis string, stop func(), err error) {
	var started []*proc
	stop = func() {
		for _, p := range started {
			p.stop()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	if redis, err = freeAddr(); err != nil {
		return nil, "", nil, err
	}
	_, port, _ := net.SplitHostPort(redis)
	server, err := start(l.dir, nil, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	if err != nil {
		return nil, "", nil, err
	}
	started = append(started, server)
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if c, err := net.Dial("tcp", redis); err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			return nil, "", nil, fmt.Errorf("redis-server does not listen: %s", server.said())
		}
	}
	key := make([]byte, 32)
	rand.Read(key)
	command := []string{"env", "MCPFUNC_SESSION_KEY=" + base64.StdEncoding.EncodeToString(key), "MCPFUNC_REDIS_URL=redis://" + redis, l.handler}
	for range instances {
		r, err := l.serve(measure, "/api/mcp", func(string) []string { return command })
		if err != nil {
			return nil, "", nil, err
		}
		all = append(all, r)
		started = append(started, r.proc)
	}
	return all, redis, stop, nil
}

func startElsewhere(l *lab, measure string) (*running, error) {
	both, redis, stop, err := l.share(measure, 2)
	if err != nil {
		return nil, err
	}
	owner, other := both[0], both[1]
	open := func() (session, error) {
		opened, err := owner.open()
		if err != nil {
			return nil, err
		}
		s := opened.(*httpSession)
		s.rest()
		s.client = other.client
		if s.conns[0], err = dial(s.addr); err != nil {
			return nil, err
		}
		return s, nil
	}
	return &running{open: open, client: other.client, proc: other.proc, ready: other.ready, stop: stop, others: &others{owner.proc, redis}}, nil
}

// othersUsage is what they have used: processor time of the owner and of Redis, and bytes in and out of Redis.
type othersUsage struct {
	owner, redis time.Duration
	bytes        int64
}

func (o *others) usage() (u othersUsage, err error) {
	used, err := o.owner.usage()
	if err != nil {
		return u, err
	}
	u.owner = used.cpu
	conn, err := net.Dial("tcp", o.redis)
	if err != nil {
		return u, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "INFO\r\n"); err != nil {
		return u, err
	}
	in := bufio.NewReader(conn)
	head, err := in.ReadString('\n')
	size, atoi := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(head, "$")))
	if err = errors.Join(err, atoi); err != nil {
		return u, fmt.Errorf("INFO of Redis: %w", err)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(in, text); err != nil {
		return u, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch name {
		case "total_net_input_bytes", "total_net_output_bytes":
			u.bytes += int64(n)
		case "used_cpu_user", "used_cpu_sys":
			u.redis += time.Duration(n * float64(time.Second))
		}
	}
	return u, nil
}

// set gives what they have used for each call since before.
func (o *others) set(m *meter, name string, before othersUsage, calls float64) error {
	after, err := o.usage()
	if err != nil {
		return err
	}
	m.set(name, "owner's CPU µs", micros(after.owner-before.owner)/calls)
	m.set(name, "Redis CPU µs", micros(after.redis-before.redis)/calls)
	m.set(name, "Redis bytes", float64(after.bytes-before.bytes)/calls)
	return nil
}
