//go:build e2e

package scale

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/hostemu"
)

// A stage is a project that several instances serve behind one front.
type stage struct {
	*front
	dir, handler string
	output       *transcript
}

// settings are app settings, NAME=value.
type settings []string

// newKey is a value for MCPFUNC_SESSION_KEY, or a part of one.
func newKey() string {
	key := make([]byte, 32)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

func withKeys(keys ...string) settings {
	return settings{"MCPFUNC_SESSION_KEY=" + strings.Join(keys, ",")}
}

// newStage makes a project and serves it by n instances, until the test ends. Then nothing may be
// left of them.
func newStage(t *testing.T, n int, servers map[string]server, app settings) *stage {
	t.Helper()
	s := &stage{front: newFront(t), output: new(transcript)}
	s.dir, s.handler = scaffold(t, servers)
	t.Cleanup(func() {
		for len(s.up()) > 0 {
			s.kill(t, s.up()[0])
		}
		if !eventually(15*time.Second, func() bool { return len(s.processes(t)) == 0 }) {
			t.Errorf("processes outlived their instance: %v", s.processes(t))
		}
		if t.Failed() {
			t.Logf("the last of the instances' output:\n%s", s.output)
		}
	})
	for range n {
		s.add(t, app)
	}
	return s
}

// An instance is one Functions host with its handler.
type instance struct {
	host   *hostemu.Host
	url    string
	flying sync.WaitGroup // requests but GET, while it is up
}

// add starts an instance with the app's settings and lets it have requests.
func (s *stage) add(t *testing.T, app settings) *instance {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, err := hostemu.Start(context.Background(), hostemu.Options{
		Dir: s.dir, Listener: listener, Env: slices.Concat(environment(), app), Output: s.output, Logf: s.output.Logf,
	})
	if err != nil {
		t.Fatalf("start an instance: %v", err)
	}
	i := &instance{host: host, url: host.URL()}
	starting, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := host.Ready(starting); err != nil {
		host.Close()
		t.Fatalf("wait for an instance: %v\n%s", err, s.output)
	}
	s.join(i)
	return i
}

// drain ends an instance when no request is in flight there, as the platform does when it scales in.
// Streams that have no end of their own are cut.
func (s *stage) drain(t *testing.T, i *instance) {
	t.Helper()
	s.leave(i)
	i.flying.Wait()
	s.end(t, i)
}

// kill ends an instance in the middle of whatever it does.
func (s *stage) kill(t *testing.T, i *instance) {
	t.Helper()
	s.leave(i)
	s.end(t, i)
}

func (s *stage) end(t *testing.T, i *instance) {
	t.Helper()
	if err := i.host.Close(); err != nil {
		t.Errorf("end an instance: %v", err)
	}
}

// processes lists the programs that the project has started, without the handlers themselves: what
// runs in the project's directory.
func (s *stage) processes(t *testing.T) (servers []string) {
	t.Helper()
	s.eachProcess(t, func(pid int, exe, command string) {
		if exe != s.handler {
			servers = append(servers, fmt.Sprint(pid, " ", command))
		}
	})
	return servers
}

// resident is the memory of handlers and servers, in MiB.
func (s *stage) resident(t *testing.T) (handlers, servers float64) {
	t.Helper()
	s.eachProcess(t, func(pid int, exe, _ string) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		fields := strings.Fields(string(raw))
		if err != nil || len(fields) < 2 {
			return
		}
		pages, _ := strconv.Atoi(fields[1])
		mib := float64(pages*os.Getpagesize()) / (1 << 20)
		if exe == s.handler {
			handlers += mib
		} else {
			servers += mib
		}
	})
	return handlers, servers
}

// eachProcess calls yield with every process that lives in the project's directory and is no zombie.
func (s *stage) eachProcess(t *testing.T, yield func(pid int, exe, command string)) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(all) == 0 {
		t.Fatalf("read /proc: %d processes, %v", len(all), err)
	}
	for _, proc := range all {
		cwd, _ := os.Readlink(filepath.Join(proc, "cwd")) // none of a zombie
		if cwd != s.dir && !strings.HasPrefix(cwd, s.dir+"/") {
			continue
		}
		exe, _ := os.Readlink(filepath.Join(proc, "exe"))
		command, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		pid, _ := strconv.Atoi(filepath.Base(proc))
		yield(pid, exe, strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " ")))
	}
}

// transcript keeps the last of what the instances wrote.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const transcriptLimit = 24 << 10 // bytes

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buf.Len()+len(p) > transcriptLimit {
		w.buf.Next(w.buf.Len() / 2)
	}
	w.buf.Write(p)
	return len(p), nil
}

func (w *transcript) Logf(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
