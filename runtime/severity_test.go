package mcpfunc

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestWarningsAndErrorsGoToStderrAsTheHostFilesThem(t *testing.T) {
	t.Parallel()
	var stdout, stderr strings.Builder
	log := slog.New(newSeverity(&stdout, &stderr, slog.LevelInfo)).With("app", "x").WithGroup("g")
	log.Debug("nothing")
	log.Info("a warning is no warning here")
	log.Warn("look")
	log.Error("fails", "why", "Warning: deprecated", "WARN", "wArN \\warn")
	log.Info("steers", "why", "\x1b[2J\u009b\x7f\u202e")
	if _, rest, _ := strings.Cut(stdout.String(), "steers"); !strings.Contains(rest, `\u001b[2J\u009b\u007f\u202e`) {
		t.Errorf("a terminal is steered by %q", rest)
	}
	if got := stdout.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, `"level":"INFO"`) {
		t.Errorf("stdout has %s", got)
	}
	lines := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("stderr has %q", lines)
	}
	for i, want := range []bool{true, false} {
		if got := strings.Contains(strings.ToLower(lines[i]), "warn"); got != want {
			t.Errorf("the host files %s as a warning: %v", lines[i], got)
		}
	}
	var record struct {
		Msg, App string
		G        map[string]string
	}
	if err := json.Unmarshal([]byte(lines[1]), &record); err != nil {
		t.Fatal(err)
	}
	if record.Msg != "fails" || record.App != "x" || record.G["why"] != "Warning: deprecated" || record.G["WARN"] != `wArN \warn` {
		t.Errorf("the error is %+v", record)
	}
}
