// Package mcpfunc serves stdio MCP servers over streamable HTTP, as an Azure Functions custom handler or in any
// Go program.
//
// A generated main.go makes three calls: LoadConfig reads mcp_config.json, New creates an App from it, and
// App.ListenAndServe serves the App where the Functions host expects a custom handler. An App is an
// http.Handler: it works in any mux and behind any middleware. It does not change the process that it runs
// in, except in ListenAndServe, which says what it changes.
//
// # Sessions
//
// Each MCP session has its own server process. The process starts at the latest with the first request that
// the App cannot answer without it, and ends with the session: on DELETE, after an idle time, or when the App
// is closed. When a process dies, the calls that wait for it get an error that says why, and the App restarts
// the process and replays the handshake. Calls are never retried automatically. A session belongs to the
// caller that opened it: for anyone else it does not exist.
//
// Messages are not decoded and encoded again: ids, numbers, unknown members and unknown methods reach the
// other side byte for byte.
//
// # Extending
//
// A Config holds what a configuration file says; its Servers can also be written in Go. Options hold what the
// program decides: the prefix of all paths, who may call (Auth, instead of the methods of the file), how
// processes start (Launcher, instead of exec), and what runs around the App (Middleware). The zero value of
// every field is a default, which its comment names.
//
// # Errors
//
// An invalid configuration is reported as a *ConfigError, a program that cannot be started as a *CommandError.
//
// The package is in a directory named runtime; import it under its own name:
//
//	import mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
package mcpfunc

// SupportsScaffold1 lets generated code check this package: a main.go that needs a newer package does not
// compile, and the compiler names what is missing.
const SupportsScaffold1 = true
