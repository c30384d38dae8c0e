package mcpfunc

import (
	"context"
	"log/slog"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/devpage"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// observe sees to it that what sessions say is kept for the page of mcpfunc dev, or logged, if
// either is asked for. Else nothing of it exists.
func (a *App) observe(secrets *redactor) {
	if a.cfg.devKey == "" && !a.cfg.logMessages {
		return
	}
	o := watch.Options{Redact: secrets.redact, Overhang: secrets.overhang(), Keep: a.cfg.devKey != ""}
	if a.cfg.logMessages {
		o.Wire = slog.New(everything{a.log.Handler()})
	}
	a.watch = watch.New(o)
}

// everything is a handler that leaves no record out for its level.
type everything struct{ slog.Handler }

func (everything) Enabled(context.Context, slog.Level) bool { return true }

func (e everything) WithAttrs(attrs []slog.Attr) slog.Handler {
	return everything{e.Handler.WithAttrs(attrs)}
}

func (e everything) WithGroup(name string) slog.Handler { return everything{e.Handler.WithGroup(name)} }

// minDevKey is how many characters MCPFUNC_DEV must have to count: it opens the page to whoever
// knows it, and a word that somebody set by hand would be guessed.
const minDevKey = 20

// openPage makes the page of mcpfunc dev, if the app was started by it.
func (a *App) openPage(secrets *redactor) {
	if a.cfg.devKey == "" {
		return
	}
	o := devpage.Options{
		Key: a.cfg.devKey, Hub: a.watch, Started: a.started, DefaultPath: a.mcpPath(), Default: a.fallback().spec.Name,
		Memory: process.Machine{}.Used,
	}
	for _, s := range a.servers {
		method := s.spec.method.Method
		o.Servers = append(o.Servers, devpage.Server{
			Name: s.spec.Name, Path: s.path(), Description: s.spec.Description,
			Command: secrets.redact(commandLine(s.spec.Command, s.spec.Args)), Era: string(s.spec.Era),
			Token: a.opts.Auth != nil || method == config.AuthAzureOBO || method == config.AuthOAuth2Bearer,
		})
	}
	a.page = devpage.New(o)
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
