//go:build mcpfunc_devpage && linux

package mcpfunc

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
)

// A developer is told once what a sandbox has refused, with what to list, and nobody else is.
func TestDeveloperLearnsWhatASandboxRefuses(t *testing.T) {
	keeps(t)
	for key, want := range map[string]int{"a key of twenty characters": 1, "": 0} {
		var log journal
		cfg := &Config{devKey: key, development: key != "", Servers: []Server{reacher("a", Sandbox{NoNetwork: true, Ports: []int{1}, ReadOnly: true})}}
		_, srv := newApp(t, cfg, &Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
		c := connect(t, srv.URL+"/api/mcp")
		file := os.TempDir() + "/mcpfunc-outside"
		for range 2 {
			for tool, at := range map[string]string{"write": file, "dial": "127.0.0.1:9"} {
				if got, err := c.tool(tool, fmt.Sprintf(`"at":%q`, at)); !strings.Contains(got, "permission denied") {
					t.Errorf("%s %s: %s, %v", tool, at, got, err)
				}
			}
		}
		for _, text := range []string{`"tried":"write ` + file + `","hint":"add \"` + os.TempDir() + `\" to sandbox.write`, `"tried":"a connection to 127.0.0.1:9","hint":"add 9 to sandbox.network"`} {
			if got := strings.Count(log.String(), text); got != want {
				t.Errorf("with the key %q, %s is logged %d times, want %d:\n%s", key, text, got, want, log.String())
			}
		}
	}
}
