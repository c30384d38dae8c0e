package framing

import (
	"bytes"
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
// are not final as "large: id".
func readAll(in io.Reader, mode Mode, limit int64) (got []string, err error) {
	s := New(in, nil, mode, limit, nil, func(head []byte, size int64) {
		got = append(got, fmt.Sprintf("noise: %s %d", head, size))
	})
	for {
		m, err := s.Read()
		var large *message.TooLargeError
		switch {
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
		{"lines", Auto, 1 << 20, "{\"a\":1}\n{\"b\":2}\r\n\n  \n[]\n", []string{`{"a":1}`, `{"b":2}`, `[]`}},
		{"no newline at the end", Auto, 1 << 20, "{}\n{\"a\":1}", []string{`{}`, `{"a":1}`}},
		{"cut off", Auto, 1 << 20, "{}\n{\"a\":", []string{`{}`, `noise: {"a": 5`}},
		{"noise", Auto, 1 << 20, "Server started\n{}\n12\n\"text\"\n{broken\n{\"a\":1}\n",
			[]string{"noise: Server started 14", "{}", "noise: 12 2", `noise: "text" 6`, "noise: {broken 7", `{"a":1}`}},
		{"headers", Auto, 1 << 20, "Content-Length: 2\r\n\r\n{}content-length:7\r\nContent-Type: x\r\n\r\n{\"a\":1}", []string{"{}", `{"a":1}`}},
		{"headers, type first", Headers, 1 << 20, "Content-Type: x\n" + "Content-Length: 2\n\n{}", []string{"{}"}},
		{"both", Auto, 1 << 20, "{}\nContent-Length: 2\r\n\r\n[]{\"a\":1}\n", []string{"{}", "[]", `{"a":1}`}},
		{"headers with line breaks inside", Auto, 1 << 20, "Content-Length: 11\r\n\r\n{\n \"a\":1\r\n}", []string{`{  "a":1  }`}},
		{"headers where only lines are spoken", Lines, 1 << 20, "Content-Length: 2\r\n\r\n{}\n", []string{"noise: Content-Length: 2 17", "{}"}},
		{"headers around noise", Auto, 1 << 20, "Content-Length: 5\r\n\r\nhello{}\n", []string{"noise: hello 5", "{}"}},
		{"large", Auto, 1 << 20, big + "\n" + big + "\n", []string{big, big}},
		{"too large", Auto, 60 << 10, big + "\n{}\n", []string{"large: 1", "{}"}},
		{"too large with header", Auto, 100 << 10, fmt.Sprintf("Content-Length: %d\r\n\r\n%s{}\n", len(big), big), []string{"large: 1", "{}"}},
	} {
		for name, r := range map[string]io.Reader{
			"whole":  strings.NewReader(tt.in),
			"bytes":  iotest.OneByteReader(strings.NewReader(tt.in)),
			"halves": iotest.HalfReader(strings.NewReader(tt.in)),
		} {
			got, err := readAll(r, tt.mode, tt.limit)
			if err != io.EOF {
				t.Errorf("%s, %s: %v", tt.name, name, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s, %s (-want +got)\n%s", tt.name, name, diff)
			}
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
	if err != io.EOF || len(got) > 0 {
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
	s := New(strings.NewReader("Content-Length: 2\r\n\r\n{}"), &w, Auto, 10, nil, nil)
	s.Write(m)
	s.Read()
	s.Write(m)
	if diff := cmp.Diff(writes{"{}\n", "Content-Length: 2\r\n\r\n{}"}, w); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// FuzzRoundTrip: what parses comes back through either framing, however the bytes are cut, with
// noise before it or not.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte(`{"id":1,"method":"a"}`), []byte("log line"), false)
	f.Add([]byte("{\n\"id\":1\r}"), []byte("Content-Length: 3"), true)
	f.Add([]byte(`[{}]`), []byte(`{"x":`), true)
	f.Fuzz(func(t *testing.T, in, junk []byte, headers bool) {
		m, err := message.Parse(in)
		if err != nil || !m.IsContainer() {
			return
		}
		mode := Auto
		if headers {
			mode = Headers
		}
		var wire bytes.Buffer
		s := New(nil, &wire, mode, 1<<20, nil, nil)
		if !headers && !bytes.Contains(junk, []byte("ontent-")) {
			wire.Write(bytes.ReplaceAll(junk, []byte{'\n'}, nil))
			wire.WriteByte('\n')
		}
		s.Write(m)
		s.Write(m)
		for _, r := range []io.Reader{bytes.NewReader(wire.Bytes()), iotest.OneByteReader(bytes.NewReader(wire.Bytes()))} {
			got, err := readAll(r, mode, 1<<20)
			if err != io.EOF || len(got) < 2 {
				t.Fatalf("%v %q", err, got)
			}
			for _, text := range got[len(got)-2:] {
				if text != strings.TrimRight(string(m.Bytes()), "\r") {
					t.Fatalf("got %q, want %q", text, m.Bytes())
				}
			}
		}
	})
}

// FuzzRead: arbitrary bytes never panic, and give the same however they are cut.
func FuzzRead(f *testing.F) {
	f.Add([]byte("Content-Length: 2\r\n\r\n{}"))
	f.Add([]byte("x\n{}\n[1,2]\nContent-Type: a\n\n{}"))
	f.Add([]byte("0." + strings.Repeat("0", 62) + " 0")) // noise that is found out beyond the limit
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, err1 := readAll(bytes.NewReader(in), Auto, 64)
		bytewise, err2 := readAll(iotest.OneByteReader(bytes.NewReader(in)), Auto, 64)
		if diff := cmp.Diff(whole, bytewise); diff != "" || (err1 == nil) != (err2 == nil) {
			t.Errorf("%v %v\n%s", err1, err2, diff)
		}
	})
}
