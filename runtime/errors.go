package mcpfunc

import (
	"errors"
	"fmt"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A ConfigError is an error of a configuration, with its place. LoadConfig and ParseConfig return it for
// errors in a file, New for errors that show only when an App is created.
type ConfigError struct {
	File   string // path of the file; "mcp_config.json" from ParseConfig; empty for a Config written in Go
	Line   int    // from 1; zero if unknown
	Server string // name of the server; empty if the error is not about one
	Key    string // as the file spells it, below the server or below the file: "auth.method"; empty if the error is not about one
	Hint   string // what to do about it; empty if unknown
	Err    error  // what is wrong; names the key, if there is one
}

// Error returns one sentence, with the hint in parentheses.
func (e *ConfigError) Error() string {
	text := (&config.Error{Path: e.File, Line: e.Line, Server: e.Server, Err: e.Err}).Error()
	if e.Hint != "" {
		text += " (hint: " + e.Hint + ")"
	}
	return text
}

// Unwrap returns the error without its place in the configuration.
func (e *ConfigError) Unwrap() error { return e.Err }

// typed makes a ConfigError of an error about a file's contents, and leaves others as they are.
func typed(err error) error {
	ce, ok := errors.AsType[*config.Error](err)
	if !ok {
		return err
	}
	typed := &ConfigError{File: ce.Path, Line: ce.Line, Server: ce.Server, Key: ce.Key, Hint: ce.Hint, Err: ce.Err}
	if ce.Key != "" {
		typed.Err = fmt.Errorf("%q %w", ce.Key, ce.Err)
	}
	return typed
}

// A CommandError says that a program cannot be started. Its Hint, if not empty, says what to do about it.
type CommandError = process.CommandError

// An AuthError refuses a request. The App answers with Status and the body
// {"error":{"code":Code,"message":Message}}.
type AuthError struct {
	Status  int // 401 or 403
	Code    string
	Message string
}

func (e *AuthError) Error() string { return e.Message }
