// Package streamhttp is MCP on the wire: it turns HTTP requests into messages for a session, and turns
// what the session's streams carry into HTTP answers.
//
// An Endpoint speaks streamable HTTP of 2025-03-26, 2025-06-18 and 2025-11-25 on one path (stateful.go),
// that of 2026-07-28, which does not have sessions, on the same path (stateless.go), and HTTP with SSE of
// 2024-11-05 on two others (sse.go). Callers are authenticated before a request gets here.
package streamhttp
