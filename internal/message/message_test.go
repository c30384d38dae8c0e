package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
)

// seen is an envelope in a form that tests can compare.
type seen struct {
	Kind                                         Kind
	ID, Method, Token, Of, Cancels, Task, TaskOf string
}

func look(e *Envelope) seen {
	return seen{e.Kind(), string(e.ID()), e.Method(), string(e.ProgressToken()), string(e.ProgressOf()),
		string(e.Cancels()), string(e.RelatedTask()), string(e.TaskOf())}
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want seen
	}{
		{`{"jsonrpc":"2.0","id":1,"method":"ping"}`, seen{Kind: Request, ID: "1", Method: "ping"}},
		{`{"id":9007199254740993,"method":"x"}`, seen{Kind: Request, ID: "9007199254740993", Method: "x"}},
		{`{"id":1e400,"result":{}}`, seen{Kind: Response, ID: "1e400"}},
		{`{"id":"\u00e9","result":null}`, seen{Kind: Response, ID: `"\u00e9"`}},
		{`{"result":{"id":7,"method":"no"},"jsonrpc":"2.0","id":"a"}`, seen{Kind: Response, ID: `"a"`}},
		{`{"id":2,"error":{"code":-32603}}`, seen{Kind: Response, ID: "2"}},
		{`{"method":"notifications/progress","params":{"progressToken":"t","progress":1}}`,
			seen{Kind: Notification, Method: "notifications/progress", Of: `"t"`}},
		{`{"id":1,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":5,"x":{"progressToken":6}}}}`,
			seen{Kind: Request, ID: "1", Method: "tools/call", Token: "5"}},
		{`{"method":"notifications/cancelled","params":{"requestId":"r","reason":"]"}}`,
			seen{Kind: Notification, Method: "notifications/cancelled", Cancels: `"r"`}},
		{`{"method":"m","params":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"T"}}}}`,
			seen{Kind: Notification, Method: "m", Task: `"T"`}},
		{`{"id":1,"method":"tasks/result","params":{"taskId":"T"}}`,
			seen{Kind: Request, ID: "1", Method: "tasks/result", TaskOf: `"T"`}},
		// Keys with escapes are the same keys; the last of two counts, with all inside it.
		{`{"\u0069d":3,"m\u0065thod":"a\u002fb"}`, seen{Kind: Request, ID: "3", Method: "a/b"}},
		{`{"id":1,"id":2,"method":"a","method":"b"}`, seen{Kind: Request, ID: "2", Method: "b"}},
		{`{"id":1,"method":"a","params":{"_meta":{"progressToken":1}},"params":{}}`, seen{Kind: Request, ID: "1", Method: "a"}},
		{`{"id":1,"method":"a","params":{"_meta":{"progressToken":1},"_meta":4}}`, seen{Kind: Request, ID: "1", Method: "a"}},
		// Null is absence, except for a result.
		{`{"id":1,"result":{},"error":null,"method":null,"params":null}`, seen{Kind: Response, ID: "1"}},
		{`{"id":1,"result":null,"error":null}`, seen{Kind: Response, ID: "1"}},
		{`{"id":1,"method":"a","params":{"_meta":{"progressToken":null}},"result":null}`, seen{Kind: Request, ID: "1", Method: "a"}},
		{`{"id":null,"method":"a"}`, seen{Kind: Notification, Method: "a"}},
		// What no peer may send.
		{`{"id":null,"result":{}}`, seen{Kind: Invalid}},
		{`{"id":{},"method":"a"}`, seen{Kind: Invalid, Method: "a"}},
		{`{"id":true,"result":1}`, seen{Kind: Invalid, ID: "true"}},
		{`{"id":1}`, seen{Kind: Invalid, ID: "1"}},
		{`{"id":1,"method":7}`, seen{Kind: Invalid, ID: "1"}},
		{`[]`, seen{Kind: Batch}},
		{`[{"id":1,"method":"a"}]`, seen{Kind: Batch}},
		{`"id"`, seen{}},
		{`12`, seen{}},
	} {
		m, err := Parse([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if tt.want.Method == "" && tt.want.Kind == Invalid {
			tt.want.Method = look(m.Envelope()).Method // of an invalid message nothing is promised
		}
		if diff := cmp.Diff(tt.want, look(m.Envelope())); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.in, diff)
		}
		if got := string(m.Bytes()); got != tt.in {
			t.Errorf("bytes changed: %s, want %s", got, tt.in)
		}
		m.Free()
	}
}

func TestScanRefusesWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		``, ` `, `{`, `}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[1,]`, `[`, `]`, `{"a":1}}`, `{} {}`, `nul`, `nulL`, `truex`,
		`01`, `-`, `1.`, `.5`, `1e`, `1e+`, `+1`, `"a`, "\"a\nb\"", "\"\x01\"", `"\x"`, `"\u12g4"`, `{'a':1}`, `{"a":1 "b":2}`,
		`hello`, `[1 2]`, `{1:2}`, "\ufeff{}",
	} {
		if m, err := Parse([]byte(in)); err == nil {
			t.Errorf("%q was accepted as %v", in, m.Kind())
		}
	}
}

func TestScanBoundsDepthAndMembers(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	if _, err := Parse([]byte(deep)); err != nil {
		t.Errorf("depth %d: %v", MaxDepth, err)
	}
	if _, err := Parse([]byte("[" + deep + "]")); err == nil {
		t.Errorf("depth %d was accepted", MaxDepth+1)
	}
	long := fmt.Sprintf(`{"id":"%s","method":"a"}`, strings.Repeat("x", MaxMember-2))
	if m, err := Parse([]byte(long)); err != nil || len(m.Envelope().ID()) != MaxMember {
		t.Errorf("id of %d bytes: %v", MaxMember, err)
	}
	longer := fmt.Sprintf(`{"id":"%s","method":"a"}`, strings.Repeat("x", MaxMember))
	if _, err := Parse([]byte(longer)); err == nil {
		t.Errorf("id of %d bytes was accepted", MaxMember+2)
	}
}

func TestLineBreaksBetweenTokensBecomeBlanks(t *testing.T) {
	t.Parallel()
	in := "{\r\n  \"id\": 1,\n\t\"result\": \"a\\nb\"\r}"
	m, err := Parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(m.Bytes()), "{    \"id\": 1, \t\"result\": \"a\\nb\" }"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMessageKeepsBytesOfAnySize(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, smallSize - 20, smallSize, bufpool.Size - 1, bufpool.Size, bufpool.Size + 1, 5*bufpool.Size + 17} {
		in := []byte(`{"id":1,"result":"` + strings.Repeat("é", size/2) + `"}`)
		for name, r := range map[string]io.Reader{
			"whole":  bytes.NewReader(in),
			"halves": iotest.HalfReader(bytes.NewReader(in)),
			"bytes":  iotest.OneByteReader(bytes.NewReader(in)),
			"EOF":    iotest.DataErrReader(bytes.NewReader(in)),
		} {
			m := New(nil)
			if err := m.Fill(r.Read, int64(len(in))); err != nil {
				t.Fatalf("%s %d: %v", name, size, err)
			}
			var out bytes.Buffer
			m.WriteTo(&out)
			if !bytes.Equal(out.Bytes(), in) || m.Len() != len(in) || string(m.Envelope().ID()) != "1" {
				t.Errorf("%s %d: changed", name, size)
			}
			m.Free()
		}
		m := New(nil)
		var large *TooLargeError
		if err := m.Fill(bytes.NewReader(in).Read, int64(len(in)-1)); !errors.As(err, &large) {
			t.Errorf("size %d over the limit: %v", size, err)
		}
		m.Free()
	}
}

func TestDiscardKeepsTheEnvelope(t *testing.T) {
	t.Parallel()
	m := New(nil)
	m.Append([]byte(`{"result":"`))
	m.Discard()
	m.Append(bytes.Repeat([]byte("x"), 1<<20))
	m.AppendPiece(bufpool.Get(), 0)
	m.Append([]byte(`","id":42}`))
	if err := m.End(); err != nil {
		t.Fatal(err)
	}
	if m.Len() != 0 || string(m.Envelope().ID()) != "42" {
		t.Errorf("%d bytes kept, id %s", m.Len(), m.Envelope().ID())
	}
	m.Free()
}

func TestSplit(t *testing.T) {
	t.Parallel()
	m, err := Parse([]byte(`[ {"id":1.0,"method":"a"} , {"method":"b", "x":1e400} ]`))
	if err != nil {
		t.Fatal(err)
	}
	parts, err := Split(m)
	if err != nil || len(parts) != 2 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	if got := string(parts[0].Bytes()); got != `{"id":1.0,"method":"a"}` {
		t.Error(got)
	}
	if got := string(parts[1].Bytes()); got != `{"method":"b", "x":1e400}` {
		t.Error(got)
	}
}

func TestKeyIsWhatAPeerWouldSendBack(t *testing.T) {
	t.Parallel()
	if a, b := Key([]byte(`"\u00e9\/"`)), Key([]byte(`"é/"`)); a != b {
		t.Errorf("%s and %s differ", a, b)
	}
	if a, b := Key([]byte("\"\x96\"")), Key([]byte("\"\ufffd\"")); a != b {
		t.Errorf("%q and %q differ", a, b)
	}
	if a, b := Key([]byte(`"1"`)), Key([]byte(`1`)); a == b {
		t.Error("a string and a number are the same")
	}
}

func TestScanOfSmallMessageDoesNotAllocate(t *testing.T) {
	in := []byte(small200)
	if n := testing.AllocsPerRun(100, func() {
		m := New(nil)
		m.Append(in)
		m.End()
		_ = m.Envelope().Method()
		m.Free()
	}); n > 0 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}

const small200 = `{"jsonrpc":"2.0","id":12345,"method":"tools/call","params":{"name":"echo","arguments":{"text":"` +
	`the quick brown fox jumps over the lazy dog, twice, and once more"},"_meta":{"progressToken":12}}}`

func TestRequestState(t *testing.T) {
	for text, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"a":{"requestState":"no"}},"requestState":"s1"}}`: "s1",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"requestState":"no"},"requestState":"a\u002fb"}}`:             "a/b",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"requestState":"no"}}}`:                                       "",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"requestState":7}}`:                                                        "",
	} {
		m, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := m.RequestState(); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %t, want %q", text, got, ok, want)
		}
		m.Free()
	}
}
