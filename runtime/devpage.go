//go:build mcpfunc_devpage

package mcpfunc

import (
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/devpage"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// openPage returns the page and what it is told by.
func (a *App) openPage(secrets *redactor) (devPage, watch.Sink) {
	history := devpage.NewHistory(secrets.redact)
	o := devpage.Options{
		Key: a.cfg.devKey, History: history, Started: a.started, DefaultPath: a.mcpPath(), Default: a.fallback(),
		Memory: process.Machine{}.Used,
	}
	if s := a.byName[o.Default]; s != nil {
		o.Default = s.spec.Name
	}
	for _, s := range a.servers {
		method := s.spec.method.Method
		o.Servers = append(o.Servers, devpage.Server{
			Name: s.spec.Name, Path: s.path(), Description: s.spec.Description,
			Command: secrets.redact(commandLine(s.spec.Command, s.spec.Args)), Era: string(s.spec.Era),
			Token:   a.opts.Auth != nil || method == config.AuthAzureOBO || method == config.AuthOAuth2Bearer,
			Headers: s.own.Headers(),
		})
	}
	return devpage.New(o), history
}

// commandLine is a command as a person would type it, without the values of options that sound
// secret.
func commandLine(command string, args []string) string {
	words := []string{command}
	for i, arg := range args {
		if name, _, ok := strings.Cut(arg, "="); ok && secretOption(name) {
			arg = name + "=" + redacted
		} else if i > 0 && secretOption(args[i-1]) && !strings.HasPrefix(arg, "-") {
			arg = redacted
		}
		words = append(words, arg)
	}
	for i, word := range words {
		if word == "" || strings.ContainsAny(word, " \t\n\"'\\$`*?<>|&;()#~") {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

func secretOption(arg string) bool {
	return strings.HasPrefix(arg, "-") && authenv.SoundsSecret(strings.ReplaceAll(arg, "-", "_"))
}
