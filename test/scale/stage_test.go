//go:build e2e

package scale

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// A stage is a project that several instances serve behind one front.
type stage struct {
	*front
	dir, handler string
	output       *e2etest.Transcript
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
	s := &stage{front: newFront(t), output: new(e2etest.Transcript)}
	s.dir, s.handler = scaffold(t, servers)
	t.Cleanup(func() {
		for len(s.up()) > 0 {
			s.kill(t, s.up()[0])
		}
		if !e2etest.Eventually(testlimit.Wait(), func() bool { return len(s.processes(t)) == 0 }) {
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
	host, _ := e2etest.Serve(t, s.dir, s.output, app...)
	i := &instance{host: host, url: host.URL()}
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
func (s *stage) processes(t *testing.T) []e2etest.Process {
	t.Helper()
	return slices.DeleteFunc(e2etest.Processes(t), func(p e2etest.Process) bool { return !p.In(s.dir) || p.Exe == s.handler })
}

// resident is the memory of handlers and servers, in MiB.
func (s *stage) resident(t *testing.T) (handlers, servers float64) {
	t.Helper()
	for _, p := range e2etest.Processes(t) {
		if !p.In(s.dir) {
			continue
		}
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID))
		fields := strings.Fields(string(raw))
		if err != nil || len(fields) < 2 {
			continue
		}
		pages, _ := strconv.Atoi(fields[1])
		mib := float64(pages*os.Getpagesize()) / (1 << 20)
		if p.Exe == s.handler {
			handlers += mib
		} else {
			servers += mib
		}
	}
	return handlers, servers
}
