// Package stream keeps what goes to HTTP requests, one stream each, in order, and for a while after it
// was sent, so that a client whose connection broke can ask for the rest.
//
// A Set is the streams of one session, or of one process that stateless requests share. The owner of a
// Set says what goes to which stream; a Reader takes it from there. A reader that is far behind makes
// who pushes wait, in Hold, and one that does not read at all is cut off. Streams whose events other
// instances may read are written to a log as well, and a Follower reads that log.
package stream
