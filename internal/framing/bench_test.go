package framing

import (
	"io"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// sizes are the messages of the benchmarks, with their line's end; benchstat compares them by name.
var sizes = []struct{ name, line string }{
	{"200B", line(200)}, {"64KiB", line(64 << 10)}, {"1MiB", line(1 << 20)},
}

func line(size int) string {
	return `{"jsonrpc":"2.0","id":1,"result":{"text":"` + strings.Repeat("x", size-47) + `"}}` + "\n"
}

// repeated reads the same line again and again.
type repeated struct {
	line string
	at   int
}

func (e *repeated) Read(p []byte) (int, error) {
	n := copy(p, e.line[e.at:])
	e.at = (e.at + n) % len(e.line)
	return n, nil
}

func BenchmarkRead(b *testing.B) {
	for _, bb := range sizes {
		b.Run("size="+bb.name, func(b *testing.B) {
			s := New(&repeated{line: bb.line}, nil, Auto, 2<<20, nil, func(head []byte, _ int64) { b.Errorf("noise: %s", head) })
			b.SetBytes(int64(len(bb.line)))
			b.ReportAllocs()
			for b.Loop() {
				m, err := s.Read()
				if err != nil {
					b.Fatal(err)
				}
				m.Free()
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, bb := range sizes {
		b.Run("size="+bb.name, func(b *testing.B) {
			m, err := message.Parse([]byte(strings.TrimSuffix(bb.line, "\n")))
			if err != nil {
				b.Fatal(err)
			}
			defer m.Free()
			s := New(nil, io.Discard, Lines, 2<<20, nil, nil)
			b.SetBytes(int64(len(bb.line)))
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Write(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
