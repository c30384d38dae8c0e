// Package message is one JSON-RPC message as a relay sees it: raw bytes that pass through unchanged, and the
// few members that say where the message belongs.
//
// A Scanner checks that the bytes are one JSON value (RFC 8259) and notes those members on the way, in one
// pass, piece by piece as the bytes arrive, without decoding anything else and without allocating. A Message
// owns the bytes, in pooled memory, and what the scan found.
//
// Which members matter follows the revisions 2024-11-05 to 2026-07-28 of MCP: id and method, the progress token of
// a request and of a notification, the request that a cancellation names, the task or the subscription that a
// message is related to, and what HTTP headers repeat. If a key is repeated, the last one counts, as in most
// JSON parsers that peers use; the envelope reports it where that matters. A member that is null counts as
// absent, except for a result: some serializers write every member of a class.
//
// For ids and tokens the scan also notes the place, so that Splice can replace them.
package message
