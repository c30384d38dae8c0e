//go:build e2e

package scale

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// A job is what a client calls over and over: its steps in turn, in each of its sessions.
type job struct {
	Server string
	Steps  []step
	Repeat bool // a call that fails, once, in the same session; the client for Go can
}

// A step is one call. In Args and Want {n} is the number of the round in the session, from 1.
type step struct{ Tool, Args, Want string }

// call is the nth call of a session, from 1.
func (j job) call(n int) step {
	s := j.Steps[(n-1)%len(j.Steps)]
	number := strings.NewReplacer("{n}", strconv.Itoa((n-1)/len(j.Steps)+1))
	s.Args, s.Want = number.Replace(s.Args), number.Replace(s.Want)
	return s
}

// outcome is what came of it. Begun counts sessions: more than there were to be means that one was
// lost and reinitialized.
type outcome struct {
	Calls, Failed, Begun int
	Repeated             int // calls that failed at first, with a client that tries again
	Errors               []string
}

func (o *outcome) add(other outcome) {
	o.Calls += other.Calls
	o.Failed += other.Failed
	o.Begun += other.Begun
	o.Repeated += other.Repeated
	o.Errors = append(o.Errors, other.Errors...)
}

// A client makes calls in several sessions at once.
type client struct {
	name string
	loop func(t *testing.T, url string, calls, sessions int, j job) outcome
}

func clients() []client {
	return []client{
		{"go-sdk", loopGo},
		{"typescript", script{node, filepath.Join("clients", "loop.mjs")}.loop},
		{"python", script{python, filepath.Join("clients", "loop.py")}.loop},
	}
}

// script is a client in another language.
type script struct{ interpreter, file string }

func (s script) loop(t *testing.T, url string, calls, sessions int, j job) outcome {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	steps, err := json.Marshal(j.Steps)
	if err != nil {
		t.Error(err)
		return outcome{}
	}
	cmd := exec.CommandContext(ctx, s.interpreter, s.file, url, fmt.Sprint(calls), fmt.Sprint(sessions), string(steps))
	cmd.Env = e2etest.Environ()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	exit := cmd.Run()
	var o outcome
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil || exit != nil {
		t.Errorf("%s: %v, %v\n%s\n%s", s.file, exit, err, &stdout, &stderr)
	}
	return o
}

func loopGo(t *testing.T, url string, calls, sessions int, j job) outcome {
	var mu sync.Mutex
	var all outcome
	var running sync.WaitGroup
	for i := range sessions {
		share := calls / sessions
		if i == 0 {
			share = calls - share*(sessions-1)
		}
		running.Go(func() {
			o := loopSession(t.Context(), url, share, j)
			mu.Lock()
			defer mu.Unlock()
			all.add(o)
		})
	}
	running.Wait()
	return all
}

// loopSession makes calls in one session, and begins another one when that fails.
func loopSession(ctx context.Context, url string, calls int, j job) (o outcome) {
	var s *mcp.ClientSession
	defer func() {
		if s != nil {
			s.Close()
		}
	}()
	made := 0 // in this session
	for range calls {
		o.Calls++
		err := func() (err error) {
			if s == nil {
				if s, err = connect(ctx, url); err != nil {
					s = nil
					return err
				}
				o.Begun++
				made = 0
			}
			made++
			err = callOnce(ctx, s, j.call(made))
			if err != nil && j.Repeat {
				o.Repeated++
				o.Errors = append(o.Errors, "repeated after: "+err.Error())
				err = callOnce(ctx, s, j.call(made))
			}
			return err
		}()
		if err == nil {
			continue
		}
		o.Failed++
		o.Errors = append(o.Errors, err.Error())
		if s != nil {
			s.Close()
			s = nil
		}
	}
	return o
}

func connect(ctx context.Context, url string) (*mcp.ClientSession, error) {
	c := mcp.NewClient(&mcp.Implementation{Name: "mcpfunc-scale-go", Version: "1"}, nil)
	return c.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: url}, nil)
}

func callOnce(ctx context.Context, s *mcp.ClientSession, c step) error {
	ctx, cancel := context.WithTimeout(ctx, slowStart*time.Second)
	defer cancel()
	result, err := s.CallTool(ctx, &mcp.CallToolParams{Name: c.Tool, Arguments: json.RawMessage(c.Args)})
	if err != nil {
		return err
	}
	for _, content := range result.Content {
		if part, ok := content.(*mcp.TextContent); ok && strings.Contains(part.Text, c.Want) && !result.IsError {
			return nil
		}
	}
	raw, _ := json.Marshal(result)
	return fmt.Errorf("answered %.200s", raw)
}
