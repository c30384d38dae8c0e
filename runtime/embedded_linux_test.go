package mcpfunc_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A program that has an App in it, and processes of its own, is as it was: its processes run and can be waited
// for, it is not a sub-reaper, its GOMAXPROCS is its own, and nothing is open after Close. ListenAndServe may change
// it, but only until it returns.
func TestProgramAroundAnAppIsUntouched(t *testing.T) {
	t.Parallel()
	program := os.Args[0]
	for name, args := range map[string][]string{
		"in a server of its own": {program},
		"ListenAndServe":         {program, "serve"},
		"under any name":         {"mcpfunc-guard", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, program)
			cmd.Args = args
			cmd.Env = append(os.Environ(), "RUNTIME_TEST_EMBEDDED=1")
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != "untouched\n" {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
