package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// What admission keeps free: the app's own part, and the host's for the largest body, as a multiple of it
// (internal/admission, runtime/host.go).
const (
	appMiB     = 64
	bodyFactor = 6
	hostMiB    = 142 // the whole host at rest, of which the front is a part
)

// figures are those of one instance with one server, in MiB.
type figures struct {
	size                    float64
	front, handler, session float64 // proportional set sizes
	afterBody               float64 // the most that was resident of the front
	reserve                 float64
	admitted                int
}

// computed is how many sessions fit beside a host of this size.
func (f figures) computed(host float64) float64 {
	return math.Max(0, math.Floor((f.size-host-f.handler-f.reserve)/f.session))
}

// measure fills an instance with sessions of one server.
func measure(ctx context.Context, front, project, server string, size int) (f figures, err error) {
	limit := bodyLimits[size]
	f.size, f.reserve = float64(size), float64(appMiB+bodyFactor*limit>>20)
	g, err := newGroup(int64(size) << 20)
	if err != nil {
		return f, err
	}
	defer g.remove()
	a, err := g.start(ctx, front, project, limit)
	if err != nil {
		return f, err
	}
	defer a.stop()

	f.front, f.handler = shared(a.front.Process.Pid), shared(a.handler.Process.Pid)
	var held []*mcp.ClientSession
	defer func() {
		for _, s := range held {
			_ = s.Close()
		}
	}()
	for {
		session, err := open(ctx, a.url+"/api/mcp/"+server)
		if err != nil && strings.Contains(err.Error(), http.StatusText(http.StatusServiceUnavailable)) {
			break
		}
		if err != nil {
			return f, err
		}
		held = append(held, session)
	}
	if f.admitted = len(held); f.admitted == 0 {
		return f, errors.New("no session fits")
	}
	f.session = (shared(g.processes()...) - shared(a.front.Process.Pid) - shared(a.handler.Process.Pid)) / float64(f.admitted)

	// The body comes last, when there is no more room than the app keeps for it.
	status, err := send(ctx, a.url+"/api/mcp/"+server, limit)
	if err != nil {
		return f, fmt.Errorf("a body of %d MiB to an instance with %d sessions: %w", limit>>20, f.admitted, err)
	}
	if status != http.StatusUnsupportedMediaType {
		return f, fmt.Errorf("a body of %d MiB to an instance with %d sessions: status %d", limit>>20, f.admitted, status)
	}
	f.afterBody = most(a.front.Process.Pid)
	return f, nil
}

// open opens a session with a stream and a process, as a client holds one.
func open(ctx context.Context, url string) (*mcp.ClientSession, error) {
	patient, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	client := mcp.NewClient(&mcp.Implementation{Name: "bench", Version: "1"}, nil)
	session, err := client.Connect(patient, &mcp.StreamableClientTransport{Endpoint: url, MaxRetries: -1}, nil)
	if err != nil {
		return nil, err
	}
	if _, err := session.ListTools(patient, nil); err != nil {
		_ = session.Close()
		return nil, err
	}
	return session, nil
}

// send posts a body that the app refuses, and returns the status.
func send(ctx context.Context, url string, size int64) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(make([]byte, size)))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "text/plain")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// shared is the memory of processes in MiB, in which a page that several share counts once in all.
func shared(pids ...int) float64 { return sum("smaps_rollup", "Pss:", pids) }

// most is the most that a process had in memory, in MiB.
func most(pid int) float64 { return sum("status", "VmHWM:", []int{pid}) }

func sum(file, field string, pids []int) (mib float64) {
	for _, pid := range pids {
		f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err != nil {
			continue // it has ended
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), field); ok {
				kib, _ := strconv.Atoi(strings.Fields(rest)[0])
				mib += float64(kib) / (1 << 10)
			}
		}
		f.Close()
	}
	return mib
}

func (g *group) processes() []int {
	procs, _ := os.ReadFile(filepath.Join(g.dir, "cgroup.procs"))
	return pids(procs)
}

func pids(procs []byte) (all []int) {
	for _, field := range bytes.Fields(procs) {
		if pid, err := strconv.Atoi(string(field)); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// freeAddress returns an address of 127.0.0.1 on which nothing listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
