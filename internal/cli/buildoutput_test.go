package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestBuildOutputTellsProgressFromMessages(t *testing.T) {
	t.Parallel()
	const said = "go: downloading golang.org/x/sys v0.49.0\ninternal/goarch\nnet/http\n# git-tools\n./main.go:3:2: undefined: x\n" +
		"github.com/mcpfunc/mcpfunc/runtime\nmain.go:9: no newline at the end"
	for _, size := range []int{1, 7, len(said)} {
		var rest strings.Builder
		var steps []string
		o := &buildOutput{rest: &rest, doing: func(now string) { steps = append(steps, now) }}
		for part := range slices.Chunk([]byte(said), size) {
			if n, err := o.Write(part); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		o.end()
		want := []string{
			"downloading golang.org/x/sys v0.49.0", "compiling internal/goarch, package 1", "compiling net/http, package 2",
			"compiling github.com/mcpfunc/mcpfunc/runtime, package 3",
		}
		if !slices.Equal(steps, want) {
			t.Errorf("in pieces of %d: progress is %q, want %q", size, steps, want)
		}
		if got, want := rest.String(), "# git-tools\n./main.go:3:2: undefined: x\nmain.go:9: no newline at the end\n"; got != want {
			t.Errorf("in pieces of %d: messages are %q, want %q", size, got, want)
		}
	}
}
