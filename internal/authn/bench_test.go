package authn

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkCheck measures the whole judgement of a good token, keys at hand. It reports the 99th
// percentile, which has to stay below a millisecond.
func BenchmarkCheck(b *testing.B) {
	l := newEntraLab(b)
	token := l.token()
	if _, err := check(l.guard, token); err != nil {
		b.Fatal(err)
	}
	took := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		if _, err := check(l.guard, token); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

// BenchmarkRefuse measures what a stranger can make us do for nothing.
func BenchmarkRefuse(b *testing.B) {
	l := newEntraLab(b)
	header, payload := parts(b, l.token())
	forged := forge(text(header), text(payload), func(string) []byte { return make([]byte, 256) })
	foreign := l.token(claim("tid", tenantC))
	for name, token := range map[string]string{"signature": forged, "tenant": foreign, "shape": "opaque"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := check(l.guard, token); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}
