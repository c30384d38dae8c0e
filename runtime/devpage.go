//go:build mcpfunc_devpage

package mcpfunc

import (
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/cmdline"
	"github.com/mcpfunc/mcpfunc/internal/devpage"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/secret"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// openPage returns the page and its source of events.
func (a *App) openPage(secrets *secret.Redactor) (devPage, watch.Sink) {
	history := devpage.NewHistory(secrets)
	o := devpage.Options{
		Key: a.cfg.devKey, History: history, Started: a.started, DefaultPath: a.mcpPath(), Default: a.fallback(),
		Memory: process.NewMachine().Used,
	}
	if s := a.byName[o.Default]; s != nil {
		o.Default = s.spec.Name
	}
	if a.instance != nil {
		o.Shared = func() devpage.Shared {
			f := a.instance.Figures()
			return devpage.Shared{Owned: f.Owned, Forwarded: f.Forwarded, Answered: f.Answered}
		}
	}
	for _, s := range a.servers {
		o.Servers = append(o.Servers, devpage.Server{
			Name: s.spec.Name, Path: s.path(), Description: secrets.Redact(s.spec.Description),
			Command: secrets.Redact(commandLine(s.spec.Command, s.spec.Args)), Era: string(s.spec.Era),
			Token:   a.verifies(s.spec),
			Headers: s.own.Headers(),
			Drifted: func() []string { return s.policy.Drifted() }, // there is a policy once there is a session
		})
	}
	return devpage.New(o), history
}

// commandLine is a command as a person would type it, without the secrets in it.
func commandLine(command string, args []string) string {
	words := append([]string{command}, cmdline.Hide(args)...)
	for i, word := range words {
		if word == "" || strings.ContainsAny(word, " \t\n\"'\\$`*?<>|&;()#~") {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
