//go:build e2e

package scale

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// sharedBy are the settings of instances that reach each other's sessions.
func sharedBy(redis *e2etest.Redis) settings {
	return slices.Concat(withKeys(newKey()), settings{"MCPFUNC_REDIS_URL=" + redis.URL})
}

// stateful is an entry whose processes remember what a session did: another one cannot replace it.
func stateful(t *testing.T) server { return server{"command": fastServer(t)} }

// What a server asks its client in the middle of a call is answered wherever the answer arrives.
func TestQuestionsOfAServerAreAnsweredThroughAnyInstance(t *testing.T) {
	redis := e2etest.StartRedis(t)
	s := newStage(t, 3, map[string]server{"counter": stateful(t)}, sharedBy(redis))
	ctx, cancel := context.WithTimeout(t.Context(), testlimit.Wait())
	defer cancel()
	c := mcp.NewClient(&mcp.Implementation{Name: "asked", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"answer": "answer to " + r.Params.Message}}, nil
		},
		CreateMessageHandler: func(_ context.Context, r *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			text := r.Params.Messages[0].Content.(*mcp.TextContent).Text
			return &mcp.CreateMessageResult{Content: &mcp.TextContent{Text: "answer to " + text}, Model: "none", Role: "assistant"}, nil
		},
	})
	session, err := c.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: s.Endpoint("counter")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for n := range at(500, 40) {
		for _, tool := range []string{"ask", "sample"} {
			asked := step{tool, fmt.Sprintf(`{"text": "question %d"}`, n), fmt.Sprintf("answer to question %d", n)}
			if err := callOnce(ctx, session, asked); err != nil {
				t.Fatalf("%s %d: %v", tool, n, err)
			}
		}
	}
	if len(s.processes(t)) != 1 {
		t.Errorf("one session has the processes %v", s.processes(t))
	}
}

func call(id int, tool, args string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, id, tool, args)
}

func TestCancellationReachesTheProcessFromAnyInstance(t *testing.T) {
	redis := e2etest.StartRedis(t)
	s := newStage(t, 3, map[string]server{"counter": stateful(t)}, sharedBy(redis))
	a, b, c := s.up()[0].at("counter"), s.up()[1].at("counter"), s.up()[2].at("counter")
	id := a.open(t)
	for n := range at(50, 5) {
		answered := make(chan reply, 1)
		go func() { answered <- b.send(t, http.MethodPost, id, call(100+n, "wait", `{}`)) }()
		for { // until the call is there, its cancellation is of nothing
			got := c.send(t, http.MethodPost, id, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}`, 100+n))
			if got.status != http.StatusAccepted {
				t.Fatalf("cancel: %+v", got)
			}
			got = a.send(t, http.MethodPost, id, call(1000, "cancelled", `{}`))
			if strings.Contains(got.body, fmt.Sprintf("%d cancelled.", n+1)) {
				break
			}
		}
		if got := <-answered; !strings.Contains(got.body, `"reason":"cancelled"`) {
			t.Errorf("the cancelled call: %+v", got)
		}
	}
	if got := c.send(t, http.MethodDelete, id, ""); got.status != http.StatusNoContent {
		t.Errorf("DELETE elsewhere: %+v", got)
	}
	if !e2etest.Eventually(testlimit.Wait(), func() bool { return len(s.processes(t)) == 0 }) {
		t.Error("the process goes on")
	}
}

// A GET is followed live on whatever instance it arrives.
func TestStandaloneStreamIsFollowedOnAnotherInstance(t *testing.T) {
	redis := e2etest.StartRedis(t)
	s := newStage(t, 2, map[string]server{"counter": stateful(t)}, sharedBy(redis))
	a, b := s.up()[0].at("counter"), s.up()[1].at("counter")
	id := a.open(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Mcp-Session-Id", id)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := make(chan string, 64)
	go func() {
		defer close(lines)
		buf := make([]byte, 4096)
		for {
			n, err := resp.Body.Read(buf)
			if err != nil {
				return
			}
			lines <- string(buf[:n])
		}
	}()
	for range 3 {
		if got := a.send(t, http.MethodPost, id, call(7, "changes", `{}`)); got.status != http.StatusOK {
			t.Fatalf("call: %+v", got)
		}
		for text := ""; !strings.Contains(text, "list_changed"); {
			select {
			case more, ok := <-lines:
				if text += more; !ok {
					t.Fatal("the stream has ended")
				}
			case <-time.After(testlimit.Wait()):
				t.Fatalf("nothing but %q came", text)
			}
		}
	}
}

// An owner that is killed costs the calls that it was in, each of which is answered with the reason, and the
// sessions that only it knew.
func TestCallsOfAKilledOwnerAreAnswered(t *testing.T) {
	redis := e2etest.StartRedis(t)
	s := newStage(t, 3, map[string]server{"counter": stateful(t), "stateless": stateful(t).with(server{"stateless": true})}, sharedBy(redis))
	owner, others := s.up()[0], []*instance{s.up()[1], s.up()[2]}
	stateless := owner.at("stateless").open(t)
	calls := at(40, 8)
	var ids []string
	for range 4 {
		ids = append(ids, owner.at("counter").open(t))
	}
	var answering sync.WaitGroup
	var longest atomic.Int64
	began := make(chan struct{}, calls)
	var killed atomic.Int64
	for n := range calls {
		answering.Go(func() {
			began <- struct{}{}
			got := others[n%2].at("counter").send(t, http.MethodPost, ids[n%len(ids)], call(100+n, "wait", `{}`))
			took := time.Now().UnixNano() - killed.Load()
			for was := longest.Load(); took > was && !longest.CompareAndSwap(was, took); was = longest.Load() {
			}
			if !strings.Contains(got.body, `"reason":"instance_lost"`) || !strings.Contains(got.body, fmt.Sprintf(`"id":%d`, 100+n)) {
				t.Errorf("call %d: %+v", n, got)
			}
		})
	}
	for range calls {
		<-began
	}
	if !e2etest.Eventually(testlimit.Wait(), func() bool { return owner.metrics(t).Answered >= calls }) {
		t.Fatal("the calls do not reach the owner")
	}
	killed.Store(time.Now().UnixNano())
	s.kill(t, owner)
	answering.Wait()
	t.Logf("%d calls; the last was answered %.1f s after the kill", calls, time.Duration(longest.Load()).Seconds())
	for n, id := range ids {
		if got := others[n%2].at("counter").send(t, http.MethodPost, id, echo); got.status != http.StatusNotFound {
			t.Errorf("a session whose memory is gone: %+v", got)
		}
	}
	others[0].at("stateless").call(t, stateless)
	others[1].at("stateless").call(t, stateless)
	if n := len(s.processes(t)); n != 1 {
		t.Errorf("the session that was taken over has %d processes, want one", n)
	}
}

// While Redis is away calls of sessions that are here go on, others fail with a reason, and nothing is done or
// answered twice when it is back.
func TestNothingHappensTwiceWhenRedisComesBack(t *testing.T) {
	redis := e2etest.StartRedis(t)
	s := newStage(t, 2, map[string]server{"counter": stateful(t)}, sharedBy(redis))
	a, b := s.up()[0].at("counter"), s.up()[1].at("counter")
	count := &tally{id: a.open(t)}
	next := func(from caller) bool { return count.next(t, from) }
	for range at(5, 2) {
		for range 20 {
			if !next(b) || !next(a) {
				t.Fatal("a call fails")
			}
		}
		redis.Stop()
		for range 5 {
			if !next(a) {
				t.Fatal("a call of a session that is here fails without Redis")
			}
			if next(b) {
				t.Fatal("a call of another instance's session succeeds without Redis")
			}
		}
		redis.Start(t)
		if !e2etest.Eventually(testlimit.Wait(), func() bool { return next(b) }) {
			t.Fatal("calls are not passed on any more")
		}
	}
	if n := len(s.processes(t)); n != 1 {
		t.Errorf("%d processes, want one", n)
	}
}

// The Python SDK 2 seals a requestState with a key of its process: it has to come back to that, on whatever
// instance it is.
func TestContinuationsReachTheProcessOnAnotherInstance(t *testing.T) {
	redis := e2etest.StartRedis(t)
	python2 := e2etest.Tool("python2", "bin", "python")
	s := newStage(t, 3, map[string]server{"asker": {"command": "python", "args": []string{e2etest.File(t, "test", "e2e", "servers", "asker.py")}}},
		slices.Concat(sharedBy(redis), settings{"PATH=" + filepath.Dir(python2) + string(os.PathListSeparator) + os.Getenv("PATH")}))
	calls := at(200, 30)
	ctx, cancel := context.WithTimeout(t.Context(), testlimit.Wait())
	defer cancel()
	script := e2etest.File(t, "test", "e2e", "clients", "python2", "elicit.py")
	cmd := exec.CommandContext(ctx, python2, script, s.Endpoint("asker"), fmt.Sprint(calls))
	cmd.Env, cmd.Stderr = e2etest.Environ(), os.Stderr
	out, err := cmd.Output()
	var got struct{ Processes, Failures map[string]int }
	if err != nil || json.Unmarshal(out, &got) != nil {
		t.Fatalf("%v printed %q", err, out)
	}
	total, forwarded := 0, 0
	for _, n := range got.Processes {
		total += n
	}
	for _, i := range s.up() {
		forwarded += i.metrics(t).Forwarded
	}
	t.Logf("%d calls, answered by %d processes, %d requests passed on", calls, len(got.Processes), forwarded)
	if total != calls || len(got.Failures) > 0 || forwarded == 0 {
		t.Errorf("%d of %d calls were answered, and failed: %v", total, calls, got.Failures)
	}
}

// Two instances that a client's chosen id reaches at once start one process.
func TestChosenIDsHaveOneProcess(t *testing.T) {
	redis := e2etest.StartRedis(t)
	s := newStage(t, 3, map[string]server{"counter": stateful(t)}, sharedBy(redis))
	for n := range at(50, 8) {
		id := fmt.Sprintf("chosen-%d", n)
		var calling sync.WaitGroup
		var mu sync.Mutex
		var said []string
		for k, i := range s.up() {
			calling.Go(func() {
				got := i.at("counter").send(t, http.MethodPost, id, call(10+k, "next", `{}`))
				mu.Lock()
				defer mu.Unlock()
				_, after, _ := strings.Cut(got.body, "call ")
				number, _, _ := strings.Cut(after, ".")
				said = append(said, number)
			})
		}
		calling.Wait()
		if slices.Sort(said); !slices.Equal(said, []string{"1", "2", "3"}) {
			t.Fatalf("three calls of one session say that they are %q", said)
		}
		if got := s.up()[n%3].at("counter").send(t, http.MethodDelete, id, ""); got.status != http.StatusNoContent {
			t.Errorf("DELETE: %+v", got)
		}
	}
}

// A session of HTTP with SSE (2024-11-05) has its stream on one instance; what is posted may reach any.
func TestSessionOfSSEIsReachedFromAnotherInstance(t *testing.T) {
	redis := e2etest.StartRedis(t)
	s := newStage(t, 2, map[string]server{"counter": stateful(t)}, sharedBy(redis))
	a, b := s.up()[0], s.up()[1]
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/api/mcp/counter/sse", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	data := func() string {
		t.Helper()
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return text
			}
		}
		t.Fatalf("the stream has ended: %v", lines.Err())
		return ""
	}
	messages := caller{url: b.url + data()}
	for _, step := range []struct{ say, want string }{
		{initialize, `"protocolVersion"`}, {call(5, "next", `{}`), "call 1."}, {call(6, "next", `{}`), "call 2."},
	} {
		if got := messages.send(t, http.MethodPost, "", step.say); got.status != http.StatusAccepted {
			t.Fatalf("POST elsewhere: %+v", got)
		}
		if got := data(); !strings.Contains(got, step.want) {
			t.Errorf("the stream says %s, want %s", got, step.want)
		}
	}
}
