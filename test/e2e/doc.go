// Package e2e runs real MCP clients through scaffolded projects to real MCP servers.
//
// Every test starts where a user does: `mcpfunc init` writes a project from an mcp_config.json, `go
// build` builds it, and the Functions host emulator serves it. The clients are the SDKs for Go,
// TypeScript and Python, curl, and the official conformance suite; the servers come from npm and PyPI.
// tools/install.sh fetches all of them, pinned.
//
// The tests have the build tag e2e, so that `go test ./...` needs nothing but Go:
//
//	test/e2e/tools/install.sh && go test -tags e2e -v ./test/e2e
package e2e
