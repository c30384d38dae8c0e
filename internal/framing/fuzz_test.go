package framing

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// FuzzRoundTrip: what parses comes back through either framing, however the bytes are cut.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte(`{"id":1,"method":"a"}`), false)
	f.Add([]byte("{\n\"id\":1\r,\"result\":{}}"), true)
	f.Add([]byte(`[{}]`), true)
	f.Fuzz(func(t *testing.T, in []byte, headers bool) {
		m, err := message.Parse(bytes.TrimSpace(in))
		if err != nil || !m.IsContainer() || !ours(m) {
			return
		}
		mode := Auto
		if headers {
			mode = Headers
		}
		var wire bytes.Buffer
		s := New(nil, &wire, mode, 1<<20, nil, nil)
		s.Write(m)
		s.Write(m)
		for _, r := range []io.Reader{bytes.NewReader(wire.Bytes()), iotest.OneByteReader(bytes.NewReader(wire.Bytes()))} {
			got, err := readAll(r, mode, 1<<20)
			if err != io.EOF || len(got) != 2 {
				t.Fatalf("%v %q", err, got)
			}
			for _, text := range got {
				if text != string(m.Bytes()) {
					t.Fatalf("got %q, want %q", text, m.Bytes())
				}
			}
		}
	})
}

// FuzzRead: arbitrary bytes never panic, and give the same however they are cut.
func FuzzRead(f *testing.F) {
	for _, in := range []string{
		framedAs(m1), "x\n{}\n[1,2]\nContent-Type: a\n\n{}", pretty + m1, nan + m2, late, "\ufeff" + m1 + m2, "a" + framedAs(m1) + framedAs(nan),
		"0." + strings.Repeat("0", 62) + " 0", // noise that is found out beyond the limit
		"Content-Length: 9\n\n{\"a\": x\n" + m1, "{\n\"jsonrpc\":\"2.0\",\n" + m1,
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, err1 := readAll(bytes.NewReader(in), Auto, 64)
		bytewise, err2 := readAll(iotest.OneByteReader(bytes.NewReader(in)), Auto, 64)
		if diff := cmp.Diff(whole, bytewise); diff != "" || (err1 == nil) != (err2 == nil) {
			t.Errorf("%v %v\n%s", err1, err2, diff)
		}
	})
}

// FuzzNothingIsLost: a message that is whole on a line of its own is never lost, whatever is written on
// the lines before it and after it. The only exception is a frame with a header whose
// bytes it is among.
func FuzzNothingIsLost(f *testing.F) {
	for _, junk := range []string{
		"", "log line", "{", "[", `{"id":`, "{\n\"jsonrpc\":\"2.0\",\n\"result\":", `{"jsonrpc":"2.0","id":1,"result":"cut`, nan, pretty, "\ufeff", "\r50%\r",
		"HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 1256\n", "Content-Length: 90\n\n", "Content-Length: 90\n\n{\"a\":", m2 + "x",
	} {
		f.Add([]byte(junk), []byte(junk), true)
		f.Add([]byte(junk), []byte("x"), false)
	}
	const own = `{"jsonrpc":"2.0","id":"own line","result":{}}`
	f.Fuzz(func(t *testing.T, before, after []byte, spoken bool) {
		in := string(before) + "\n" + own + "\n" + string(after)
		if spoken { // a line has been a message: headers do not count from then on
			in = m1 + "\n" + in
		}
		got, err := readAll(strings.NewReader(in), Auto, 1<<20)
		if err != io.EOF {
			t.Fatal(err)
		}
		for _, text := range got {
			if text == own || strings.Contains(text, own) && !strings.HasPrefix(text, "noise: ") {
				return
			}
		}
		t.Errorf("lost in %q: %q", in, got)
	})
}

// FuzzFoundBehindNoise: a message is found behind noise without a line's end.
func FuzzFoundBehindNoise(f *testing.F) {
	for _, junk := range []string{"", "Password: ", "\x1b[2K\r", "{}", "{a", `{"a":1} `, "[x] ", m2, nan, "\ufeff"} {
		f.Add([]byte(junk))
	}
	const own = `{"jsonrpc":"2.0","id":"own","result":{}}`
	f.Fuzz(func(t *testing.T, junk []byte) {
		if len(junk) > 200 || bytes.ContainsAny(junk, "\"\n") && !bytes.Equal(junk, []byte(m2)) && !bytes.Equal(junk, []byte(nan)) {
			return // a quote may begin a string in which the message would lie
		}
		got, err := readAll(strings.NewReader(string(junk)+own+"\n"), Lines, 1<<20)
		if err != io.EOF || len(got) == 0 || strings.TrimSpace(got[len(got)-1]) != own {
			t.Errorf("lost behind %q: %v, %q", junk, err, got)
		}
	})
}
