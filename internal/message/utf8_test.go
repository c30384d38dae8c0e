package message

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
)

func TestBytesThatAreNotUTF8AreRefused(t *testing.T) {
	for _, bad := range []string{
		"\xff", "\x80", "\xc3", "\xc3(", "\xe2\x82", "\xe2\x82(", "\xf0\x9f\x98", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
	} {
		text := `{"jsonrpc":"2.0","id":1,"method":"` + bad + `"}`
		m := New(nil)
		if err := m.Fill(strings.NewReader(text).Read, 1<<20); !errors.Is(err, ErrEncoding) {
			t.Errorf("%q: %v", bad, err)
		}
		m.Free()
	}
}

// A character may be cut anywhere, by a piece or by who sends.
func TestUTF8IsFoundAcrossPieces(t *testing.T) {
	for shift := range 5 {
		text := []byte(`{"jsonrpc":"2.0","id":1,"method":"x","params":{"text":"` + strings.Repeat("x", shift) + strings.Repeat("aé€😀", bufpool.Size/5) + `"}}`)
		m := New(nil)
		if err := m.Fill(iotest.HalfReader(bytes.NewReader(text)).Read, 1<<20); err != nil || !bytes.Equal(m.Bytes(), text) {
			t.Errorf("shift %d: %v", shift, err)
		}
		m.Free()
		text[bufpool.Size+shift] = 0xff
		m = New(nil)
		if err := m.Fill(bytes.NewReader(text).Read, 1<<20); !errors.Is(err, ErrEncoding) {
			t.Errorf("shift %d, broken: %v", shift, err)
		}
		m.Free()
	}
}

// It judges as encoding/utf8 does, however the bytes are cut.
func FuzzEncoding(f *testing.F) {
	for _, seed := range []string{"aé€😀", "\xe2\x82", "\xf0\x9f\x98\x80\x80", "\xed\xa0\x80", "\xf4\x8f\xbf\xbf"} {
		f.Add([]byte(seed), uint8(1), uint8(2))
	}
	f.Fuzz(func(t *testing.T, text []byte, a, b uint8) {
		i := int(a) % (len(text) + 1)
		j := i + int(b)%(len(text)-i+1)
		var e encoding
		got := e.add(text[:i]) && e.add(text[i:j]) && e.add(text[j:]) && e.have == 0
		if want := utf8.Valid(text); got != want {
			t.Errorf("%q cut at %d and %d: %t, want %t", text, i, j, got, want)
		}
	})
}
