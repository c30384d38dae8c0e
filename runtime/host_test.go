package mcpfunc

import (
	"net/http"
	"strings"
	"testing"
)

func TestBodyLimitFollowsTheHost(t *testing.T) {
	for setting, want := range map[string]int64{"1000000": 1_000_000, "999999999": 5 << 20, "": 5 << 20, "-1": 5 << 20, "many": 5 << 20} {
		project(t, map[string]string{"mcp_config.json": `{"mcpServers": {"a": {"command": "x"}}, "runtime": {"max_message_bytes": 5242880}}`})
		t.Setenv(bodySetting, setting)
		a, _ := underHost(t, Options{})
		if got := a.cfg.MaxRequestBytes; got != want {
			t.Errorf("%s=%s: at most %d bytes, want %d", bodySetting, setting, got, want)
		}
		if got := a.reserve(); got != 6*want {
			t.Errorf("%s=%s: %d bytes are reserved, want %d", bodySetting, setting, got, 6*want)
		}
		if setting == "1000000" {
			if status, body := inquire(a, http.MethodPost, "/api/mcp/a", strings.Repeat(" ", 1_000_001)); status != http.StatusRequestEntityTooLarge {
				t.Errorf("a larger body: %d %s", status, body)
			}
		}
	}
	a, _ := newApp(t, &Config{Servers: []Server{self("a")}}, nil)
	if got := a.reserve(); got != 0 {
		t.Errorf("without a host %d bytes are reserved", got)
	}
}
