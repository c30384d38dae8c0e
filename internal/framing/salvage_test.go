package framing

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

const (
	pretty = "{\n  \"jsonrpc\": \"2.0\",\n  \"id\": 3,\n  \"result\": {\n    \"a\": [1, 2]\n  }\n}\n"
	flat   = "{   \"jsonrpc\": \"2.0\",   \"id\": 3,   \"result\": {     \"a\": [1, 2]   } }"
	nan    = `{"jsonrpc":"2.0","id":7,"result":{"mean":NaN,"said":{"jsonrpc":"2.0","id":1,"result":{}}}}`
	late   = `{"result":{"low":-Infinity},"id":"x\"y","jsonrpc":"2.0"}`
)

// noise is how readAll shows it.
func noise(text string) string { return fmt.Sprintf("noise: %s %d", text, len(text)) }

// crlf is a text with the line ends of Windows.
func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

func TestMessagesAreFoundWhereverTheyStand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"behind a prompt", "Need to install: " + m1 + "\n" + m2 + "\n", []string{"noise: Need to install: 17", m1, m2}},
		{"behind a bar", "\rLoading  50%\rLoading 100%\r" + m1 + "\n", []string{"noise: Loading  50%\rLoading 100% 27", m1}},
		{"behind colours", "\x1b[?25h\x1b[0m" + m1 + "\n", []string{"noise: \x1b[?25h\x1b[0m 10", m1}},
		{"behind brackets", "[INFO] {name} {'a': 1} {\"a\": " + m1 + "\n", []string{"noise: [INFO] {name} {'a': 1} {\"a\": 29", m1}},
		{"behind a log record", `{"level":30,"msg":"x"}` + m1 + "\n", []string{`noise: {"level":30,"msg":"x"} 22`, m1}},
		{"before noise", m1 + " npm notice\n" + m2 + "\n", []string{m1, "noise: npm notice 11", m2}},
		{"two in a row", mn + m1 + "\n" + m2 + "\n", []string{mn, m1, m2}},
		{"two in a row behind noise", "x" + mn + "y" + m1 + "z\n", []string{"noise: x 1", mn, "noise: y 1", m1, "noise: z 1"}},
		{"behind a byte order mark", "\ufeff" + m1 + "\n\ufeff" + m2 + "\n", []string{m1, m2}},
		{"two behind a byte order mark", "\ufeff" + m1 + m2 + "\n", []string{m1, m2}},
		{"over several lines", pretty + m1 + "\n", []string{flat, m1}},
		{"over several lines of Windows", crlf(pretty) + m1 + "\r\n", []string{flat, m1}},
		{"over several lines, behind a byte order mark", "\ufeff" + pretty, []string{flat}},
		{"over several lines, with noise behind", strings.TrimSuffix(pretty, "\n") + " notice\n" + m1 + "\n", []string{flat, "noise: notice 6", m1}},
		{"over several lines, behind a prompt", "Password: " + pretty + m1 + "\n", []string{"noise: Password: 10", flat, m1}},
		{"over several lines, behind colours", "\x1b[0m" + pretty, []string{"noise: \x1b[0m 4", flat}},
		{"over several lines, behind another", m1 + pretty + m2 + "\n", []string{m1, flat, m2}},
		{"code", "if (a) {\n" + m1 + "\n}\n", []string{"noise: if (a) 7", "noise: { 1", m1, "noise: } 1"}},
		{"a cut log of a message over several lines", "sent {\"jsonrpc\":\"2.0\",\"id\":1,\n" + m1 + "\n", []string{"noise: sent 5", noise(`{"jsonrpc":"2.0","id":1,`), m1}},
		{"a log record over several lines", "{\n  \"level\": 30\n}\n" + m1 + "\n", []string{"noise: { 1", `noise: "level": 30 13`, "noise: } 1", m1}},
		{"behind a line that looks like the first of several", "{\n" + m1 + "\n{\n" + pretty, []string{"noise: { 1", m1, "noise: { 1", flat}},
		{"within what looks like several", "{\n\"id\":\n" + m1 + "\n", []string{"noise: { 1", "noise: \"id\": 5", m1}},
		{"a batch behind noise", "log [" + m1 + "," + m2 + "]\n", []string{"noise: log 4", "[" + m1 + "," + m2 + "]"}},
		{"what a server was asked, in its log", "got {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}\n", []string{noise("got {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}")}},
		{"a cut log of a message", "sent " + m1[:30] + "\n" + m1 + "\n", []string{"noise: sent 5", noise(m1[:30]), m1}},
	} {
		if diff := cmp.Diff(tt.want, alike(t, tt.in, Auto, 1<<20)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}

func TestBrokenAnswersShowTheirID(t *testing.T) {
	t.Parallel()
	asking := `{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":NaN}`
	cut := `{"jsonrpc":"2.0","id":8,"result":{"text":"first line`
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"no number", nan + "\n" + m1 + "\n", []string{noise(nan), "broken: 7", m1}},
		{"no number, the id last", late + "\n", []string{noise(late), `broken: "x\"y"`}},
		{"next to another", nan + m2 + "\n", []string{noise(nan), "broken: 7", m2}},
		{"behind noise", "x: " + nan + "\n", []string{"noise: x: 3", noise(nan), "broken: 7"}},
		{"a line break in a string", cut + "\nsecond\"}}\n" + m1 + "\n", []string{noise(cut), "broken: 8", `noise: second"}} 9`, m1}},
		{"a control character in a string", cut + "\x1b[0m\"}}\n", []string{noise(cut + "\x1b[0m\"}}"), "broken: 8"}},
		{"written into by another", cut + m1 + "\n", []string{noise(cut), "broken: 8", m1}},
		{"over several lines, cut off by a message", "{\"jsonrpc\":\"2.0\",\n\"id\":8,\n" + m1 + "\n", []string{"noise: {\"jsonrpc\":\"2.0\",\n\"id\":8, 25", "broken: 8", m1}},
		{"a request", asking + "\n", []string{noise(asking)}},
		{"cut off by the end", m2 + "\n" + cut, []string{m2, noise(cut)}},
		{"cut off by the end, over several lines", "{\"jsonrpc\":\"2.0\",\n\"id\":8,\n", []string{noise(`{"jsonrpc":"2.0",`), noise(`"id":8,`)}},
		{"a notification", `{"jsonrpc":"2.0","method":"n","params":NaN}` + "\n", []string{noise(`{"jsonrpc":"2.0","method":"n","params":NaN}`)}},
		{"in a frame with a header", framedAs(nan) + framedAs(m1), []string{noise(nan), "broken: 7", m1}},
	} {
		if diff := cmp.Diff(tt.want, alike(t, tt.in, Auto, 1<<20)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}

func TestPrintedHeadersAreNoise(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"after a line", m1 + "\nContent-Length: 1256\n\n" + m2 + "\n", []string{m1, "noise: Content-Length: 1256 20", m2}},
		{"before a line", "Content-Type: text/html\n" + m1 + "\n", []string{"noise: Content-Type: text/html 23", m1}},
		{"no number", "content-length: 90000 bytes\n\n" + m1 + "\n", []string{"noise: content-length: 90000 bytes 27", m1}},
		{"an answer's head", "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 1256\n\n" + m1 + "\n",
			[]string{"noise: HTTP/1.1 200 OK 15", "noise: Content-Type: text/html 23", "noise: Content-Length: 1256 20", m1}},
		{"an answer's head and body", "Content-Length: 29\nServer: x\n\n<html>\n" + m1 + "\n",
			[]string{"noise: Content-Length: 29 18", "noise: Server: x 9", "noise: <html> 6", m1}},
		{"a JSON body", "Content-Length: 400\n\n{\"a\":\n1}\n" + m1 + "\n", []string{"noise: Content-Length: 400 19", `noise: {"a": 5`, "noise: 1} 2", m1}},
		{"a body that is cut off", "Content-Length: 10\n\n" + m1 + "\n", []string{"noise: Content-Length: 10 18", m1}},
		{"no length", "Content-Type: a\n\n" + m1 + "\n", []string{"noise: Content-Type: a 15", m1}},
		{"two lengths", "Content-Length: 36\nContent-Length: 35\n\n" + m1 + "\n", []string{"noise: Content-Length: 36 18", "noise: Content-Length: 35 18", m1}},
		{"too many", "Content-Length: 36\n" + strings.Repeat("a: b\n", 1000) + "\n" + m1 + "\n", nil},
		{"a length in characters", "Content-Length: 40\n\n" + `{"jsonrpc":"2.0","id":1,"result":{"a":"ääääää"}}` + framedAs(m2),
			[]string{"noise: Content-Length: 40 18", `{"jsonrpc":"2.0","id":1,"result":{"a":"ääääää"}}`, "noise: Content-Length: 36 18", m2}},
		{"noise before a header", "Loading…" + framedAs(m1) + "done\n" + framedAs(m2), []string{"noise: Loading… 10", m1, "noise: done 4", m2}},
		{"a line's end that the header counts", "Content-Length: 38\r\n\r\n" + m1 + "\r\n" + framedAs(m2), []string{m1, m2}},
		{"lines between frames", framedAs(m1) + m2 + "\n" + framedAs(mn), []string{m1, m2, mn}},
	} {
		got := alike(t, tt.in, Auto, 1<<20)
		if tt.want == nil { // only the message counts
			got, tt.want = got[len(got)-1:], []string{m1}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}

func TestALogOfWhatWasSaidIsNoAnswer(t *testing.T) {
	t.Parallel()
	const roots = `{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}`
	var got []string
	s := New(strings.NewReader("got "+roots+"\ngot "+m1+"\n"), io.Discard, Auto, 1<<20, nil, func(head []byte, _ int64) { got = append(got, "noise: "+string(head)) })
	m, err := message.Parse([]byte(roots))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(m); err != nil {
		t.Fatal(err)
	}
	answer, err := s.Read()
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, string(answer.Bytes()))
	if diff := cmp.Diff([]string{"noise: got " + roots, "noise: got", m1}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestMessagesDoNotWait: what is whole is given before anything else comes.
func TestMessagesDoNotWait(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		m1 + "\n", m1, "noise\n" + m1, "{\n" + m1 + "\n", pretty, "x " + m1 + "\n", "Content-Length: 1256\n\n" + m1, framedAs(m1),
		nan + "\n", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"a\n", "Content-Type: text/html\n" + m1, framedAs(nan), m1 + " notice",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\n", "{\n\"jsonrpc\":\"2.0\",\n\"id\":1,\n", "\x1b[0m{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			r, w := io.Pipe()
			s := New(r, nil, Auto, 1<<20, nil, func([]byte, int64) {})
			go io.WriteString(w, in) // and then nothing
			start := time.Now()
			if _, err := s.Read(); err == io.EOF || time.Since(start) > lineTime {
				t.Errorf("%q: %v after %s", in, err, time.Since(start))
			}
			go func() { // what was cut off does not cost what follows
				io.WriteString(w, "\n\"x\"}\n"+m2+"\n")
				w.Close()
			}()
			if m, err := s.Read(); err != nil || string(m.Bytes()) != m2 {
				t.Errorf("behind %q: %v", in, err)
			}
		})
	}
}
