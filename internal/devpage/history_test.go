package devpage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/secret"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// newHub returns a History and who reports to it.
func newHub() (*History, *watch.Hub) {
	secrets := secret.New("hunter2-hunter2")
	h := NewHistory(secrets)
	return h, watch.New(watch.Options{Secrets: secrets, Sink: h})
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

func tail(t *testing.T, h *History, session uint64) Tail {
	t.Helper()
	got, ok := h.tail(session, 0, 0)
	if !ok {
		t.Fatalf("session %d is not kept", session)
	}
	return got
}

func TestSessionIsToldFromItsOpeningToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, hub := newHub()
		r := hub.Open("git", "a1b2", false, nil)
		r.Started(42)
		r.Sent(parse(t, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"clientInfo":{"name":"editor","version":"2"}}}`))
		r.Received(parse(t, `{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","serverInfo":{"name":"git"}}}`))
		r.Sent(parse(t, `{"jsonrpc":"2.0","id":"x","method":"tools/call"}`))
		r.Sent(parse(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
		r.Received(parse(t, `{"jsonrpc":"2.0","id":1,"method":"roots/list"}`)) // the server's own id
		time.Sleep(1500 * time.Microsecond)
		r.Received(parse(t, `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}`))
		r.Stderr("warming up")

		got := h.view().Sessions[0]
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
		if got = h.view().Sessions[0]; got.Ended == nil || got.Why != "it died" || got.PID != 0 || got.Waiting != 0 {
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
	h, hub := newHub()
	r := hub.Open("s", "n", false, nil)
	for n := range 3 * maxMessages {
		r.Sent(parse(t, fmt.Sprintf(`{"jsonrpc":"2.0","method":"m%d"}`, n)))
		r.Stderr("line")
	}
	got, _ := h.tail(1, 10, 2*maxLines+50)
	if n := len(got.Messages); n != maxMessages || got.Messages[0].Method != "m200" || got.MissedMessages != 2*maxMessages-10 {
		t.Errorf("%d messages from %q on, %d missed", n, got.Messages[0].Method, got.MissedMessages)
	}
	if len(got.Lines) != 50 || got.MissedLines != 0 {
		t.Errorf("%d lines, %d missed, want 50 and none", len(got.Lines), got.MissedLines)
	}
	if got, _ := h.tail(1, 5000, 5000); len(got.Messages) != 0 || got.MissedMessages != 0 { // the reader knows another hub
		t.Errorf("after a number that was not given: %+v", got)
	}
}

func TestBytesOfAllSessionsAreBounded(t *testing.T) {
	t.Parallel()
	const sessions = 30 // which say more than is kept
	h, hub := newHub()
	large := parse(t, `{"jsonrpc":"2.0","method":"m","params":"`+strings.Repeat("a word ", watch.BodyBytes)+`"}`)
	for n := range sessions {
		r := hub.Open("s", fmt.Sprint(n), false, nil)
		for range maxMessages {
			r.Received(large)
			r.Stderr(strings.Repeat("y", watch.LineBytes+1))
		}
	}
	sum := 0
	for _, r := range h.sessions {
		for _, m := range r.messages {
			sum += weight(m)
		}
		for _, l := range r.lines {
			sum += len(l.Text)
		}
	}
	if sum != h.bytes || sum > maxBytes || sum < maxBytes-2*watch.BodyBytes {
		t.Errorf("%d bytes are kept and %d are counted, want them equal and just within %d", sum, h.bytes, maxBytes)
	}
	if got := tail(t, h, 1); len(got.Messages) != 0 || got.MissedMessages != maxMessages {
		t.Errorf("the oldest session keeps %d messages", len(got.Messages))
	}
	if got := tail(t, h, sessions); len(got.Messages) != maxMessages {
		t.Errorf("the newest session keeps %d messages", len(got.Messages))
	}
}

func TestSessionsThatHaveEndedMakeRoom(t *testing.T) {
	t.Parallel()
	h, hub := newHub()
	var all []*watch.Recorder
	for range maxSessions {
		all = append(all, hub.Open("s", "n", false, nil))
	}
	if hub.Open("s", "late", false, nil).Sent(parse(t, `{"jsonrpc":"2.0","method":"m"}`)); h.view().Unwatched != 1 {
		t.Errorf("%d unwatched, want 1: nobody has ended", h.view().Unwatched)
	}
	all[7].Sent(parse(t, `{"jsonrpc":"2.0","method":"m"}`))
	all[7].Ended("done")
	hub.Open("s", "new", false, nil)
	all[7].Stderr("said after it was forgotten")
	v := h.view()
	if got := v.Sessions[len(v.Sessions)-1].Name; got != "new" || len(v.Sessions) != maxSessions || h.bytes != 0 {
		t.Errorf("the last of %d is %q, with %d bytes", len(v.Sessions), got, h.bytes)
	}
	if _, ok := h.tail(8, 0, 0); ok {
		t.Error("the one that ended is still there")
	}
}

func TestWaitReturnsAtNewsAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, hub := newHub()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		returned := make(chan error, 2*maxWaiting)
		for range maxWaiting {
			go func() { returned <- h.wait(ctx, 0) }()
		}
		synctest.Wait()
		if err := h.wait(ctx, 0); !errors.Is(err, errBusy) {
			t.Errorf("one more waiter: %v, want errBusy", err)
		}
		r := hub.Open("s", "n", false, nil)
		for range maxWaiting {
			if err := <-returned; err != nil {
				t.Error(err)
			}
		}
		if err := h.wait(ctx, 0); err != nil { // there is news already
			t.Error(err)
		}
		r.Stderr("more")
		start := time.Now()
		if err := h.wait(ctx, h.view().Version); err != nil || time.Since(start) != time.Minute {
			t.Errorf("without news: %v after %s, want a minute", err, time.Since(start))
		}
		go func() { returned <- h.wait(t.Context(), h.view().Version) }()
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
