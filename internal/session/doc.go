// Package session decides which session a message belongs to, whose it is, and where each message
// of its process goes.
//
// A Table finds a session by server, principal and id, or opens one if there is room. A Session
// owns one process at a time: it starts it, replays the handshake when it has to start it again,
// and ends it. Its exchange is the switchboard between the process, which says everything on one
// pipe, and the HTTP requests that wait: a Stream each. Streams keep what they carried for a
// while, so that a client whose connection broke can ask for the rest.
//
// Requests of 2026-07-28 belong to no session. Those of one caller share the processes of a pool, a
// Worker each, to which we are the only client: a Call has an id of ours there, and whatever the
// process says names what it belongs to.
//
// Nothing here knows of HTTP, and nothing is sent while a lock is held: the locks guard maps and
// lists for a few lines.
package session
