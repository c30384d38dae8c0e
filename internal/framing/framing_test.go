package framing

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// readAll returns what a stream gives for in: messages as text, noise as "noise: …", errors that
// are not final as "large: id" and "broken: id".
func readAll(in io.Reader, mode Mode, limit int64) (got []string, err error) {
	s := New(in, nil, mode, limit, nil, func(head []byte, size int64) {
		got = append(got, fmt.Sprintf("noise: %s %d", head, size))
	})
	for {
		m, err := s.Read()
		var large *message.TooLargeError
		var broken *BrokenError
		switch {
		case errors.As(err, &broken):
			got = append(got, "broken: "+string(broken.ID))
		case errors.As(err, &large):
			got = append(got, "large: "+string(m.Envelope().ID()))
			m.Free()
		case err != nil:
			return got, err
		default:
			got = append(got, string(m.Bytes()))
			m.Free()
		}
	}
}

// Messages for tests, the shortest there are.
const (
	m1 = `{"jsonrpc":"2.0","id":1,"result":{}}`
	m2 = `{"jsonrpc":"2.0","id":2,"result":{}}`
	mn = `{"jsonrpc":"2.0","method":"n"}`
)

// framedAs puts a header before a text.
func framedAs(text string) string {
	return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(text), text)
}

// alike reads in whole, by bytes and by halves, and sees that it makes no difference.
func alike(t *testing.T, in string, mode Mode, limit int64) []string {
	t.Helper()
	var first []string
	for i, r := range []io.Reader{
		strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.HalfReader(strings.NewReader(in)),
	} {
		got, err := readAll(r, mode, limit)
		if err != io.EOF {
			t.Errorf("%q, way %d: %v", in, i, err)
		}
		if i == 0 {
			first = got
		} else if diff := cmp.Diff(first, got); diff != "" {
			t.Errorf("%q: whole and in parts (-whole +parts)\n%s", in, diff)
		}
	}
	return first
}

func TestRead(t *testing.T) {
	t.Parallel()
	big := `{"result":"` + strings.Repeat("x", 120<<10) + `","id":1}`
	for _, tt := range []struct {
		name  string
		mode  Mode
		limit int64
		in    string
		want  []string
	}{
		{"lines", Auto, 1 << 20, m1 + "\n" + m2 + "\r\n\n  \n[" + m1 + "]\n", []string{m1, m2, "[" + m1 + "]"}},
		{"no newline at the end", Auto, 1 << 20, m1 + "\n" + m2, []string{m1, m2}},
		{"cut off", Auto, 1 << 20, m1 + "\n{\"a\":", []string{m1, `noise: {"a": 5`}},
		{"noise", Auto, 1 << 20, "Server started\n" + m1 + "\n12\n\"text\"\n{broken\n{\"a\":1}\n[]\n" + m2 + "\n",
			[]string{"noise: Server started 14", m1, "noise: 12 2", `noise: "text" 6`, "noise: {broken 7", `noise: {"a":1} 7`, "noise: [] 2", m2}},
		{"the peer's complaint", Auto, 1 << 20, `{"id":null,"error":{"code":-32700}}` + "\n", []string{`{"id":null,"error":{"code":-32700}}`}},
		{"headers", Auto, 1 << 20, framedAs(m1) + "content-length:36\r\nContent-Type: x\r\n\r\n" + m2, []string{m1, m2}},
		{"headers, type first", Headers, 1 << 20, "Content-Type: x\n" + "Content-Length: 36\n\n" + m1, []string{m1}},
		{"headers with line breaks inside", Auto, 1 << 20, framedAs("{\n \"id\":1,\r\n\"result\":{}}"), []string{`{  "id":1,  "result":{}}`}},
		{"headers where only lines are spoken", Lines, 1 << 20, framedAs(m1) + "\n", []string{"noise: Content-Length: 36 18", m1}},
		{"headers around noise", Auto, 1 << 20, framedAs("hello") + framedAs(m1), []string{"noise: Content-Length: 5 17", "noise: hello 5", m1}},
		{"large", Auto, 1 << 20, big + "\n" + big + "\n", []string{big, big}},
		{"too large", Auto, 60 << 10, big + "\n" + m2 + "\n", []string{"large: 1", m2}},
		{"too large with header", Auto, 100 << 10, framedAs(big) + m2 + "\n", []string{"large: 1", m2}},
	} {
		if diff := cmp.Diff(tt.want, alike(t, tt.in, tt.mode, tt.limit)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}

// endless is a line that never ends.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.n += int64(len(p))
	return len(p), nil
}

func TestReadGivesUpOnALineWithoutEnd(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"", `{"id":1,"result":"`} {
		in := new(endless)
		_, err := readAll(io.MultiReader(strings.NewReader(start), in), Auto, 1<<20)
		if !errors.Is(err, ErrRunaway) || in.n > 5<<20 {
			t.Errorf("after %q: %v, %d bytes read", start, err, in.n)
		}
	}
}

func TestAnnouncedLengthIsNotAllocated(t *testing.T) {
	got, err := readAll(strings.NewReader("Content-Length: 9223372036854775807\r\n\r\n{}"), Auto, 1<<20)
	if err != io.EOF || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

// writes records each Write.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

func TestWriteIsOneWrite(t *testing.T) {
	t.Parallel()
	for mode, want := range map[Mode]string{Auto: "{\"a\":1}\n", Headers: "Content-Length: 7\r\n\r\n{\"a\":1}"} {
		var w writes
		m, _ := message.Parse([]byte(`{"a":1}`))
		s := New(strings.NewReader(""), &w, mode, 1, nil, nil)
		if err := s.Write(m); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(writes{want}, w); diff != "" {
			t.Errorf("%s (-want +got)\n%s", mode, diff)
		}
	}
}

func TestAutoWritesAsTheOtherSideDoes(t *testing.T) {
	t.Parallel()
	m, _ := message.Parse([]byte(`{}`))
	var w writes
	s := New(strings.NewReader(framedAs(m1)), &w, Auto, 100, nil, nil)
	s.Write(m)
	s.Read()
	s.Write(m)
	if diff := cmp.Diff(writes{"{}\n", "Content-Length: 2\r\n\r\n{}"}, w); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
