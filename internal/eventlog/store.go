package eventlog

import (
	"context"
	"time"
)

// Kept is how long a log is kept after its last entry, and how long a client has to come back.
const Kept = 15 * time.Minute

// A Store is where instances keep logs for each other. What it keeps is sealed, and it need not keep
// it safe: whatever is missing is noticed.
type Store interface {
	// Write says that writer lives for as long as live says, from now on, and then does what ops say, in
	// their order. With a live of zero the writer is dead once they are done. When Write fails, any of it
	// may be done or not; it is called with the same ops then until it does not fail, so that an entry
	// that is there already is not an error.
	Write(ctx context.Context, writer string, live time.Duration, ops []Op) error
	// Newest returns the last entry of a log, and the name of its writer, which is empty if there is no
	// such log.
	Newest(ctx context.Context, log string) (Entry, string, error)
	// Read returns the entries of a log with numbers above after, most at most and in their order.
	// More may come if live says so: the log was there and its writer alive before they were read.
	Read(ctx context.Context, log, writer string, after, most int) (entries []Entry, live bool, err error)
}

// A Verb is what an Op does.
type Verb int

// The verbs. After Put and Keep the log lives for Kept.
const (
	Put  Verb = iota // adds an entry, and forgets the oldest so that Length are left
	Trim             // forgets the oldest so that Length are left
	Keep             // changes nothing else
	Drop             // forgets the log
)

// An Op is one thing that is to be done to a log.
type Op struct {
	Do     Verb
	Log    string
	Number int    // of the entry that is put; to Trim, of the newest
	First  int    // the number of the oldest entry that is still worth keeping
	Data   []byte // of the entry that is put
}

// Length is how many entries a log needs to go back to First. The newest always stays: it says how far
// the log has come.
func (op Op) Length() int64 { return int64(max(1, op.Number-op.First+1)) }

// An Entry is one of a log. Numbers of a log rise by one.
type Entry struct {
	Number int
	Data   []byte
}
