// Package session decides which session a message belongs to, which caller owns the session, and where each
// message of its process goes.
//
// A Table finds a session by server, principal and id, opens one if there is room, takes over one that is not
// here, and deletes one. A Session has one process at a time, connected by a link: it starts the process,
// replays the handshake after a restart, and ends the process. Its router decides which of the waiting HTTP
// requests, each with its own stream, gets a message of the process, which has only one pipe for all of them.
//
// This package does not know HTTP, and sends nothing while it holds a lock: locks guard maps and lists for a
// few lines. A method with the suffix Locked is called with the mutex of its type held. Lock order: the mutex
// of a Table, of a Controller, of a Session, of a stream.Set.
package session
