// Package message is one JSON-RPC message as a relay sees it: raw bytes that pass through
// untouched, and the few members that say where it belongs.
//
// A Scanner checks that the bytes are one JSON value (RFC 8259) and picks those members up on the
// way, in one pass, piece by piece as the bytes arrive, without decoding anything else and without
// allocating. A Message owns the bytes, in pooled memory, together with what the scan found.
//
// Which members count follows the revisions 2024-11-05 to 2025-11-25 of MCP: id and method, the
// progress token of a request and of a notification, the request that a cancellation names, and
// the task that a message is related to. Where a key stands twice the last one counts, as it does
// for every JSON parser that the peers use.
package message
