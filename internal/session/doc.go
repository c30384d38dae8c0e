// Package session decides which session a message belongs to, whose it is, and where each message
// of its process goes.
//
// A Table finds a session by server, principal and id, opens one if there is room, takes one over that
// is not here, and deletes one. A Session owns one process at a time, to which a link connects it: it
// starts it, replays the handshake when it has to start it again, and ends it. Its router says which of
// the HTTP requests that wait, a stream each, gets what the process says, which is all on one pipe.
//
// Nothing here knows of HTTP, and nothing is sent while a lock is held: the locks guard maps and
// lists for a few lines. A method with the suffix Locked is called with the mutex of its type held. The
// mutex of a Table may be held when a Controller is asked, which may take that of a Session, which may
// take that of a stream.Set; never the other way round.
package session
