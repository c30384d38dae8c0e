package message

import (
	"strings"
	"testing"
)

// scans are what Scan is measured with; benchstat compares them by name.
var scans = []struct{ name, text string }{
	{"200B", small200},
	{"64KiB", `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat("the quick brown fox ", 64<<10/20) + `"}]}}`},
	{"1MiB", `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat("the quick brown fox ", 1<<20/20) + `"}]}}`},
	{"1MiB-lines", `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat(strings.Repeat("the quick brown ", 4)+`\n`, 1<<20/66) + `"}]}}`},
	{"1MiB-JSON-in-a-string", `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat(`{\"name\": \"value\", \"count\": 12, \"path\": \"/srv/repo/file.go\"}, `, 1<<20/72) + `"}]}}`},
	{"1MiB-small-values", `{"jsonrpc":"2.0","id":1,"result":{"rows":[` + strings.Repeat(`{"n":12345,"s":"text","b":true},`, 1<<20/32) + `{}]}}`},
}

func BenchmarkScan(b *testing.B) {
	for _, bb := range scans {
		b.Run("size="+bb.name, func(b *testing.B) {
			in := []byte(bb.text)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			var s Scanner
			for b.Loop() {
				s.Reset()
				if err := s.Scan(in); err != nil {
					b.Fatal(err)
				}
				if err := s.End(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
