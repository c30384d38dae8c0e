// Package mcpfunc puts stdio MCP servers behind streamable HTTP inside an Azure Functions app.
//
// The main.go that the scaffolder writes needs three calls: LoadConfig reads mcp_config.json, New
// makes an App of it, and App.ListenAndServe serves it where the Functions host expects a custom
// handler. An App is an http.Handler, so it can stand in any mux and behind any middleware. It changes
// nothing about the process that it is in, unless that process is its own: see App.ListenAndServe.
//
// # Sessions
//
// Every MCP session has a server process of its own, started by its initialize request and ended
// with it: by DELETE, after an idle time, or with the App. A process that dies is started again
// with its handshake; the calls that waited are answered with an error that says why. Sessions
// belong to the caller that opened them: to anybody else they do not exist.
//
// What passes through is not decoded and not encoded again: ids, numbers, unknown members and
// methods reach the other side byte for byte.
//
// # Extending
//
// A Config is what a file says; its Servers can also be written in Go. Options are what the program says:
// below which prefix the paths are, who may call (Auth, in place of the four methods of the file), how
// processes are started (Launcher, in place of exec), and what stands in front (Middleware). The zero value
// of every field is a default that its comment names.
//
// What is wrong with a configuration is a *ConfigError, a program that cannot be started a *CommandError.
//
// The package is in a directory named runtime and is imported by its own name:
//
//	import mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
package mcpfunc

// SupportsScaffold1 is the handshake with generated code: a main.go that needs more than this
// package offers does not compile, and says by name what is missing.
const SupportsScaffold1 = true
