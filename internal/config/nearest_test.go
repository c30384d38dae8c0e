package config

import "testing"

func TestNearestKnowsSlipsAndNoMore(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"comand": "command", "commnad": "command", "COMMAND": "command", "arg": "args", "evn": "env", "environment": "env",
		"workingDirectory": "working_dir", "timeoutSeconds": "timeout_seconds", "timeout": "timeout_seconds",
		"disable": "disabled", "enable": "enabled", "restartOnFailure": "restart_on_failure",
		"alwaysAllow": "", "x": "", "headers": "", "": "",
	} {
		if got := Nearest(name, new(draft).fields().names()); got != want {
			t.Errorf("nearest to %q is %q, want %q", name, got, want)
		}
	}
}
