package child

import (
	"encoding/json"
	"fmt"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Reasons that a Failure gives, for programs to tell them apart.
const (
	ReasonStart     = "start_failed"   // the program could not be started
	ReasonTimeout   = "start_timeout"  // no answer to initialize in time
	ReasonExited    = "exited"         // it exited by itself
	ReasonKilled    = "killed"         // a signal that we did not send
	ReasonMemory    = "out_of_memory"  // the kernel killed it for its memory
	ReasonDeaf      = "does_not_read"  // it does not read its stdin
	ReasonFlood     = "runaway_output" // a message without end
	ReasonLarge     = "answer_too_large"
	ReasonNoRoom    = "no_memory" // large messages of others, or of the same caller, have it
	ReasonBroken    = "answer_not_json"
	ReasonSlow      = "request_timeout"
	ReasonCanceled  = "cancelled"
	ReasonClosed    = "session_closed" // DELETE, idle end, eviction, shutdown
	ReasonChanged   = "server_changed" // a restarted server negotiated otherwise
	ReasonElsewhere = "stream_lost"    // the stream of the answer is on another instance, or of an earlier process
	ReasonUnsure    = "session_unsure" // where the session is, or whether it is over, cannot be found out
	ReasonInstance  = "instance_lost"  // the instance that has the session ended, or could not be reached, before it had answered
)

// A Failure is why a call was not answered by the server. It is told to the client in words and in
// data that a program, or a model, can act on.
type Failure struct {
	Text         string   `json:"-"` // one sentence
	Reason       string   `json:"reason"`
	ExitCode     *int     `json:"exit_code,omitempty"`
	Signal       string   `json:"signal,omitempty"`
	Retryable    bool     `json:"retryable"`
	RestartsLeft int      `json:"restarts_left"`
	Stderr       []string `json:"stderr,omitempty"` // the last lines, redacted
	Head         string   `json:"head,omitempty"`   // the beginning of an answer that is no JSON, redacted
	Hint         string   `json:"hint,omitempty"`
}

func (f *Failure) Error() string { return f.Text }

// Answer returns the JSON-RPC error response for the request with this id, as JSON. The code is
// -32603, internal error: the others below -32000 are reserved (MCP 2026-07-28, basic, "Error
// codes").
func (f *Failure) Answer(id []byte) *message.Message {
	text, _ := json.Marshal(f.Text)
	data, _ := json.Marshal(f)
	return message.Must(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":%s,"data":%s}}`, string(id), text, data))
}
