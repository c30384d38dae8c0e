package mcpfunc

import (
	"errors"
	"fmt"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A ConfigError says what is wrong with a configuration, and where. LoadConfig and ParseConfig return it
// for what a file says, New for what only shows when an App is made of it.
type ConfigError struct {
	File   string // as LoadConfig found it; "mcp_config.json" of ParseConfig; empty for a Config written in Go
	Line   int    // from 1; zero if it is about no line
	Server string // its name; empty if it is about no server
	Key    string // as the file spells it, below the server or else below the file: "auth.method"; empty if it is about none
	Hint   string // what would help, where that is known
	Err    error  // what is wrong, which names the key where there is one
}

// Error is one sentence, with the hint in parentheses.
func (e *ConfigError) Error() string {
	text := (&config.Error{Path: e.File, Line: e.Line, Server: e.Server, Err: e.Err}).Error()
	if e.Hint != "" {
		text += " (hint: " + e.Hint + ")"
	}
	return text
}

// Unwrap returns what is wrong, without the place.
func (e *ConfigError) Unwrap() error { return e.Err }

// typed makes a ConfigError of an error about a file's contents, and leaves others as they are.
func typed(err error) error {
	var ce *config.Error
	if !errors.As(err, &ce) {
		return err
	}
	typed := &ConfigError{File: ce.Path, Line: ce.Line, Server: ce.Server, Key: ce.Key, Hint: ce.Hint, Err: ce.Err}
	if ce.Key != "" {
		typed.Err = fmt.Errorf("%q %w", ce.Key, ce.Err)
	}
	return typed
}

// A CommandError is a program that cannot be started, with a Hint where one is known.
type CommandError = process.CommandError

// An AuthError refuses a request. It is answered as {"error":{"code":Code,"message":Message}}.
type AuthError struct {
	Status  int // 401 or 403
	Code    string
	Message string
}

func (e *AuthError) Error() string { return e.Message }
