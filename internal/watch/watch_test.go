package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

func newHub() *Hub {
	return New(Options{Redact: strings.NewReplacer("hunter2-hunter2", "[redacted]").Replace, Overhang: 64, Keep: true})
}

func parse(t testing.TB, text string) *message.Message {
	t.Helper()
	m, err := message.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Free)
	return m
}

func tail(t *testing.T, h *Hub, session uint64) Tail {
	t.Helper()
	got, ok := h.Tail(session, 0, 0)
	if !ok {
		t.Fatalf("session %d is not kept", session)
	}
	return got
}

func TestSessionIsToldFromItsOpeningToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		r := h.Open("git", "a1b2", false)
		r.Started(42)
		r.Sent(parse(t, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"clientInfo":{"name":"editor","version":"2"}}}`))
		r.Received(parse(t, `{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","serverInfo":{"name":"git"}}}`))
		r.Sent(parse(t, `{"jsonrpc":"2.0","id":"x","method":"tools/call"}`))
		r.Sent(parse(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
		r.Received(parse(t, `{"jsonrpc":"2.0","id":1,"method":"roots/list"}`)) // the server's own id
		time.Sleep(1500 * time.Microsecond)
		r.Received(parse(t, `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}`))
		r.Stderr("warming up")

		got := h.View().Sessions[0]
		want := Session{
			Number: 1, Server: "git", Name: "a1b2", Opened: time.Now().Add(-1500 * time.Microsecond), PID: 42, Starts: 1,
			Protocol: "2025-11-25", Client: "editor 2", Program: "git", Calls: 3, Waiting: 1,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("while it runs (-want +got):\n%s", diff)
		}
		r.Exited("the server exited with code 1")
		r.Ended("it died")
		r.Ended("it was ended again")
		if got = h.View().Sessions[0]; got.Ended == nil || got.Why != "it died" || got.PID != 0 || got.Waiting != 0 {
			t.Errorf("after its end: %+v", got)
		}

		var lines []string
		for _, m := range tail(t, h, 1).Messages {
			lines = append(lines, fmt.Sprintf("%d %s %s %s %s %.1f", m.Number, m.From, m.Kind, m.Method, m.ID, m.Took))
		}
		wantLines := []string{
			"1 app event   0.0",
			"2 client request initialize 0 0.0", "3 server response initialize 0 0.0",
			`4 client request tools/call "x" 0.0`, "5 client request tools/call 1 0.0",
			"6 server request roots/list 1 0.0", "7 server error tools/call 1 1.5",
			"8 app event   0.0", "9 app event   0.0",
		}
		if diff := cmp.Diff(wantLines, lines); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
		wantStderr := []Line{{Number: 1, Text: "warming up"}}
		if diff := cmp.Diff(wantStderr, tail(t, h, 1).Lines, cmpopts.IgnoreFields(Line{}, "At")); diff != "" {
			t.Errorf("stderr (-want +got):\n%s", diff)
		}
	})
}

func TestOldestGoesFirstAndWhoIsBehindIsTold(t *testing.T) {
	t.Parallel()
	h := newHub()
	r := h.Open("s", "n", false)
	for n := range 3 * maxMessages {
		r.Sent(parse(t, fmt.Sprintf(`{"jsonrpc":"2.0","method":"m%d"}`, n)))
		r.Stderr("line")
	}
	got, _ := h.Tail(1, 10, 2*maxLines+50)
	if n := len(got.Messages); n != maxMessages || got.Messages[0].Method != "m200" || got.MissedMessages != 2*maxMessages-10 {
		t.Errorf("%d messages from %q on, %d missed", n, got.Messages[0].Method, got.MissedMessages)
	}
	if len(got.Lines) != 50 || got.MissedLines != 0 {
		t.Errorf("%d lines, %d missed, want 50 and none", len(got.Lines), got.MissedLines)
	}
	if got, _ := h.Tail(1, 5000, 5000); len(got.Messages) != 0 || got.MissedMessages != 0 { // the reader knows another hub
		t.Errorf("after a number that was not given: %+v", got)
	}
}

func TestBytesOfAllSessionsAreBounded(t *testing.T) {
	t.Parallel()
	h := newHub()
	large := parse(t, `{"jsonrpc":"2.0","method":"m","params":"`+strings.Repeat("x", 2*bodyBytes)+`"}`)
	for n := range maxSessions {
		r := h.Open("s", fmt.Sprint(n), false)
		for range maxMessages {
			r.Received(large)
			r.Stderr(strings.Repeat("y", 3*lineBytes))
		}
	}
	sum := 0
	for _, r := range h.sessions {
		for _, m := range r.messages {
			sum += m.weight()
		}
		for _, l := range r.lines {
			sum += len(l.Text)
		}
	}
	if sum != h.bytes || sum > maxBytes || sum < maxBytes-2*bodyBytes {
		t.Errorf("%d bytes are kept and %d are counted, want them equal and just within %d", sum, h.bytes, maxBytes)
	}
	if got := tail(t, h, 1); len(got.Messages) != 0 || got.MissedMessages != maxMessages {
		t.Errorf("the oldest session keeps %d messages", len(got.Messages))
	}
	if got := tail(t, h, maxSessions); len(got.Messages) != maxMessages {
		t.Errorf("the newest session keeps %d messages", len(got.Messages))
	}
}

func TestSessionsThatHaveEndedMakeRoom(t *testing.T) {
	t.Parallel()
	h := newHub()
	var all []*Recorder
	for range maxSessions {
		all = append(all, h.Open("s", "n", false))
	}
	if h.Open("s", "late", false).Sent(parse(t, `{"jsonrpc":"2.0","method":"m"}`)); h.View().Unwatched != 1 {
		t.Errorf("%d unwatched, want 1: nobody has ended", h.View().Unwatched)
	}
	all[7].Sent(parse(t, `{"jsonrpc":"2.0","method":"m"}`))
	all[7].Ended("done")
	h.Open("s", "new", false)
	all[7].Stderr("said after it was forgotten")
	v := h.View()
	if got := v.Sessions[len(v.Sessions)-1].Name; got != "new" || len(v.Sessions) != maxSessions || h.bytes != 0 {
		t.Errorf("the last of %d is %q, with %d bytes", len(v.Sessions), got, h.bytes)
	}
	if _, ok := h.Tail(8, 0, 0); ok {
		t.Error("the one that ended is still there")
	}
}

func TestWaitReturnsAtNewsAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		returned := make(chan error, 2*maxWaiting)
		for range maxWaiting {
			go func() { returned <- h.Wait(ctx, 0) }()
		}
		synctest.Wait()
		if err := h.Wait(ctx, 0); !errors.Is(err, ErrBusy) {
			t.Errorf("one more waiter: %v, want ErrBusy", err)
		}
		r := h.Open("s", "n", false)
		for range maxWaiting {
			if err := <-returned; err != nil {
				t.Error(err)
			}
		}
		if err := h.Wait(ctx, 0); err != nil { // there is news already
			t.Error(err)
		}
		r.Stderr("more")
		start := time.Now()
		if err := h.Wait(ctx, h.View().Version); err != nil || time.Since(start) != time.Minute {
			t.Errorf("without news: %v after %s, want a minute", err, time.Since(start))
		}
		go func() { returned <- h.Wait(t.Context(), h.View().Version) }()
		synctest.Wait()
		h.Close()
		if err := <-returned; err != nil {
			t.Error(err)
		}
		if h.waiting != 0 {
			t.Errorf("%d wait", h.waiting)
		}
	})
}

func TestSecretAcrossTheCutIsBlankedWhole(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHub()
	h.opts.Wire = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := h.Open("s", "n", false)
	const secret = "hunter2-hunter2"
	head := `{"jsonrpc":"2.0","id":"` + secret + `","method":"` + secret + `","params":"`
	for at := bodyBytes - len(secret) - len(head); at <= bodyBytes; at++ {
		r.Sent(parse(t, head+strings.Repeat("x", at)+secret+strings.Repeat("z", 2*bodyBytes)+`"}`))
	}
	for _, m := range tail(t, h, 1).Messages {
		if len(m.Body) > bodyBytes || m.Cut != m.Size-len(m.Body) {
			t.Errorf("%d bytes of %d are kept and %d are said to be cut", len(m.Body), m.Size, m.Cut)
		}
		fmt.Fprint(&log, m)
	}
	if i := strings.Index(log.String(), "hunter2"); i >= 0 {
		t.Errorf("found %.40q", log.String()[i:])
	}
}

func TestNilHubCostsNothing(t *testing.T) {
	var h *Hub
	m := parse(t, `{"jsonrpc":"2.0","method":"m"}`)
	r := h.Open("s", "n", false)
	if n := testing.AllocsPerRun(100, func() {
		r.Started(1)
		r.Sent(m)
		r.Received(m)
		r.Stderr("line")
		r.Exited("so")
		r.Ended("so")
	}); n != 0 || r != nil {
		t.Errorf("%v allocations, recorder %v", n, r)
	}
	h.Close()
}
