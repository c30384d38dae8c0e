// Package cmdline shows command lines without the secrets in them.
package cmdline

import (
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// byForm knows no secret but by its form.
var byForm = secret.New()

// Hide returns a command line without the secrets that are written out in it.
func Hide(args []string) []string {
	shown := append([]string(nil), args...)
	for _, a := range secret.Args(args) {
		if strings.Contains(a.Value, "${") || a.Value == "" {
			continue
		}
		if _, looks := secret.Looks(a.Name, a.Value); looks || secret.Named(a.Name) {
			arg := args[a.Index]
			shown[a.Index] = byForm.Redact(arg[:len(arg)-len(a.Value)]) + hidden(a)
		}
	}
	return shown
}

// hidden is the value of an argument as it may be shown: what of it says nothing stays.
func hidden(a secret.Argument) string {
	if text := byForm.Redact(a.Value); text != a.Value && !secret.Named(a.Name) {
		return text
	}
	return secret.Redacted
}
