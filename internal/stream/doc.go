// Package stream keeps the events for HTTP requests, one stream per request, in order, and for a while after
// they were sent, so that a client whose connection broke can ask for the rest.
//
// A Set holds the streams of one session, or of one process that requests without a session share. The owner
// of the Set decides which stream an event goes to; a Reader takes it from there. A reader that is far behind
// makes the writer wait, in Hold; one that does not read at all is disconnected. Streams whose events other
// instances may read are also written to a log, which a Follower reads.
package stream
