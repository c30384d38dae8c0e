package child

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

func TestNoPartOfASecretIsToldOfWhatWasCut(t *testing.T) {
	t.Parallel()
	key := "s3cr3t-" + strings.Repeat("x", 40)
	line := strings.Repeat("a", noiseBytes-30) + " key=" + key
	c := &Child{
		log: slog.New(slog.DiscardHandler), noise: newLimiter(),
		secrets: secret.New(key),
	}
	c.logNoise([]byte(line[:noiseBytes]), int64(len(line)))
	f := &Failure{Text: "no answer", Hint: "raise timeout_seconds"}
	c.skipped.explain(f)
	answer := c.brokenAnswer(&framing.BrokenError{ID: []byte("1"), Head: []byte(line[:noiseBytes]), Err: framing.ErrRunaway})
	if told := f.Text + string(answer.Bytes()); strings.Contains(told, "s3cr3t") {
		t.Error(told)
	}
	want := "no answer; its output on stdout is not a message: \"" + strings.Repeat("a", noiseBytes-30) + " key=\""
	if diff := cmp.Diff(want, f.Text); diff != "" || f.Hint == "raise timeout_seconds" {
		t.Errorf("hint %q, (-want +got)\n%s", f.Hint, diff)
	}
}
