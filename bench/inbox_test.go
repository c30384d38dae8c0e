package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/bench/internal/wire"
)

// A benchmark that does not see a wrong answer measures nothing. Each of these differs from the
// right answers in one thing.
func TestInboxSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	big := job{tool: "big", size: 3000}
	progress := job{tool: "progress", count: 2}
	for name, test := range map[string]struct {
		job  job
		edit func(messages []string) []string
		want string // in the error; empty for none
	}{
		"a right echo":          {job: job{tool: "echo"}},
		"a right large answer":  {job: big},
		"right progress":        {job: progress},
		"no answer":             {job: big, edit: func(m []string) []string { return nil }, want: "no answer"},
		"two answers":           {job: big, edit: func(m []string) []string { return append(m, m...) }, want: "second answer"},
		"another id":            {job: big, edit: replace(`"id":10000001`, `"id":10000002`), want: "came to the call"},
		"an id as text":         {job: job{tool: "echo"}, edit: replace(`"id":10000001`, `"id":"10000001"`), want: "came to the call"},
		"another lane's text":   {job: job{tool: "echo"}, edit: replace("lane-", "game-"), want: "the answer says"},
		"an error":              {job: big, edit: func([]string) []string { return []string{`{"jsonrpc":"2.0","id":10000001,"error":{}}`} }, want: "is an error"},
		"a byte changed":        {job: big, edit: func(m []string) []string { return []string{m[0][:2000] + "!" + m[0][2001:]} }, want: "is wrong"},
		"a byte lost":           {job: big, edit: func(m []string) []string { return []string{m[0][:2000] + m[0][2001:]} }, want: "is wrong"},
		"the end lost":          {job: big, edit: func(m []string) []string { return []string{m[0][:2000]} }, want: "bytes"},
		"another call's token":  {job: progress, edit: replace(`"progressToken":10000001`, `"progressToken":10000002`), want: "came to the call"},
		"an unexpected message": {job: progress, edit: replace("notifications/progress", "notifications/message"), want: "unexpected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, messages := answered(t, test.job)
			if test.edit != nil {
				messages = test.edit(messages)
			}
			for _, size := range []int{1, 7, 1 << 20} { // of the parts that it comes in
				in := deliver(c, messages, size)
				err := in.done()
				if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("in parts of %d: got error %v, want one with %q", size, err, test.want)
				}
			}
		})
	}
}

func TestInboxCountsProgress(t *testing.T) {
	t.Parallel()
	c, m := answered(t, job{tool: "progress", count: 3})
	for _, test := range []struct {
		name              string
		messages          []string
		came, out, missed int
	}{
		{"all of it", m, 3, 0, 0},
		{"one lost", []string{m[0], m[2], m[3]}, 2, 0, 1},
		{"two swapped", []string{m[1], m[0], m[2], m[3]}, 3, 1, 0},
		{"one after the answer", []string{m[0], m[1], m[3], m[2]}, 3, 0, 0},
	} {
		in := deliver(c, test.messages, 1<<20)
		var r record
		r.call(c, in, 1, in.done())
		if got, want := [3]int{r.progress, r.disorder, r.lost}, [3]int{test.came, test.out, test.missed}; got != want {
			t.Errorf("%s: came, out of order, lost: got %v, want %v", test.name, got, want)
		}
	}
}

// An SSE stream means the same however it is cut into parts, and whatever its line ends are.
func TestEventsDoNotDependOnParts(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r\n"} {
		stream := strings.ReplaceAll(": hello\n\nid: 0\nretry: 1\ndata: \n\nevent: message\nid: 1\ndata: {\"a\":1}\n\ndata:{\"b\":2}\n\n", "\n", end)
		for size := 1; size <= len(stream); size++ {
			var got []string
			var event strings.Builder
			e := &events{part: func(p []byte) { event.Write(p) }, end: func() {
				got = append(got, strings.TrimSpace(event.String()))
				event.Reset()
			}}
			for rest := stream; rest != ""; {
				n := min(size, len(rest))
				e.take([]byte(rest[:n]))
				rest = rest[n:]
			}
			if want := `[{"a":1} {"b":2}]`; fmt.Sprint(got) != want {
				t.Fatalf("in parts of %d: got %v, want %v", size, got, want)
			}
		}
	}
}

// answered returns a call and what the server answers.
func answered(t *testing.T, j job) (*call, []string) {
	t.Helper()
	c := newCall(j, 0, "lane")
	c.next()
	var messages []string
	var a wire.Answerer
	if err := a.Answer(c.body, func(line []byte) error {
		messages = append(messages, strings.TrimSuffix(string(line), "\n"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return c, messages
}

func deliver(c *call, messages []string, size int) *inbox {
	in := &inbox{}
	in.expect(c)
	for _, m := range messages {
		for rest := m; rest != ""; {
			n := min(size, len(rest))
			in.part([]byte(rest[:n]))
			rest = rest[n:]
		}
		in.end()
	}
	return in
}

func replace(old, new string) func([]string) []string {
	return func(messages []string) []string {
		edited := make([]string, len(messages))
		for i, m := range messages {
			edited[i] = strings.ReplaceAll(m, old, new)
		}
		return edited
	}
}
