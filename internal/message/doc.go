// Package message is one JSON-RPC message as a relay sees it: raw bytes that pass through
// untouched, and the few members that say where it belongs.
//
// A Scanner checks that the bytes are one JSON value (RFC 8259) and picks those members up on the
// way, in one pass, piece by piece as the bytes arrive, without decoding anything else and without
// allocating. A Message owns the bytes, in pooled memory, together with what the scan found.
//
// Which members count follows the revisions 2024-11-05 to 2026-07-28 of MCP: id and method, the
// progress token of a request and of a notification, the request that a cancellation names, the
// task or the subscription that a message is related to, and what HTTP headers repeat. Where a key
// stands twice the last one counts, as it does for most JSON parsers that the peers use; the
// envelope says so where that matters. A member that is null is as good as absent, but for a result:
// there are serializers that write every member of a class.
//
// Of ids and tokens the scan also knows the place, so that Splice can put others there.
package message
