package packprobe

import (
	"errors"
	"strings"
	"testing"
)

// What a server complains of while it is packed stands in the log of a build, where many read it.
func TestLastWordsTellNoSecret(t *testing.T) {
	t.Parallel()
	l := newLastWords(map[string]string{"API_TOKEN": "s3cr3t-value", "ZONE": "Asia/Tokyo"})
	for range 3 {
		l.Write([]byte(strings.Repeat("x", lastWordsBytes)))
	}
	l.Write([]byte("no access with s3cr3t-value in Asia/Tokyo\n"))
	got := l.explain(errors.New("it ended")).Error()
	if want := "no access with [redacted] in Asia/Tokyo"; !strings.HasSuffix(got, want) || len(got) > 2*lastWordsBytes {
		t.Errorf("%d bytes that end with %q, want %q", len(got), got[max(0, len(got)-80):], want)
	}
	if err := errors.New("it ended"); newLastWords(nil).explain(err) != err {
		t.Error("without a word there is more to say")
	}
}
