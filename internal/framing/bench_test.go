package framing

import (
	"io"
	"strconv"
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

// noises are what a server may print without a line's end. All of them cost about the same a byte: time
// is linear in what is read, whatever it is.
var noises = []struct{ name, unit string }{
	{"text", "Loading model: 20%\r"}, {"braces", "{"}, {"keys", `{"`}, {"objects", `{"jsonrpc":"2.0","id":`},
	{"records", `{"a":1}`}, {"arrays", "[{"}, {"cut", `{"jsonrpc":"2.0","id":1,"result":"`}, {"quotes", `{"jsonrpc":"2.0",NaN"`},
	{"headers", "Content-Length: 900000\n\n{\"a\":[x"}, {"lines", "{\n\"id\":\n"},
}

func BenchmarkReadNoise(b *testing.B) {
	for _, bb := range noises {
		for _, size := range []int{1 << 16, 1 << 20} {
			in := strings.Repeat(bb.unit, size/len(bb.unit)) + "\n"
			b.Run(bb.name+"/size="+strconv.Itoa(size), func(b *testing.B) {
				b.SetBytes(int64(len(in)))
				b.ReportAllocs()
				for b.Loop() {
					s := New(strings.NewReader(in), nil, Auto, 2<<20, nil, func([]byte, int64) {})
					for {
						if m, err := s.Read(); err == io.EOF {
							break
						} else if m != nil {
							m.Free()
						}
					}
				}
			})
		}
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
