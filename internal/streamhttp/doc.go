// Package streamhttp is MCP on the wire: it turns HTTP requests into messages for a session, and
// what a session's streams bring into HTTP answers.
//
// An Endpoint speaks the revisions 2025-03-26, 2025-06-18 and 2025-11-25 of streamable HTTP on one
// path (stateful.go), that of 2026-07-28, which has no sessions, on the same (stateless.go), and the
// HTTP with SSE of 2024-11-05 on two more (sse.go). It knows who is
// asking because it is told: authentication comes before it.
package streamhttp
