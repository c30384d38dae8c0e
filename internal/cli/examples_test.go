package cli

import (
	"path/filepath"
	"testing"
)

// What they answer is a matter of the end-to-end tests.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "examples", "*", configName))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		if code, stdout, stderr := mcpfuncRun(t, "", "validate", "--config", file); code != exitDone || stderr != "" {
			t.Errorf("%s: code %d, %s%s", file, code, stdout, stderr)
		}
	}
}
