package stream

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// An EventID names an event to a client that may come back for those after it (MCP 2025-11-25,
// transports, "Resumability"). It says of which stream the event was and in which life of its Set,
// since another instance, or the process that woke a session that slept, numbers its own. That of a
// POST with one request says, too, which request waits there, so that it can be answered by an instance that
// is asked for the rest and has not got it.
//
//	stream - sequence - life [ - base64url( id of the request ) ]
type EventID struct {
	Stream, Sequence int // both from 0; stream 0 is the standalone one
	Life             string
	Request          string // as JSON; empty for none
}

const (
	lifeSize   = 6  // 30 random bits: a life is told from others of one session
	maxRequest = 32 // bytes of an id of a request that goes into event ids
)

func newLife() string { return rand.Text()[:lifeSize] }

// suffix is what all event ids of a stream end with.
func (e EventID) suffix() string {
	if e.Request == "" || len(e.Request) > maxRequest {
		return "-" + e.Life
	}
	return "-" + e.Life + "-" + base64.RawURLEncoding.EncodeToString([]byte(e.Request))
}

func (e EventID) String() string {
	return strconv.Itoa(e.Stream) + "-" + strconv.Itoa(e.Sequence) + e.suffix()
}

// ParseEventID reads an event id that a client names. It fails with ErrEventID.
func ParseEventID(id string) (e EventID, err error) {
	parts := strings.SplitN(id, "-", 4)
	if len(parts) < 3 || len(parts[2]) != lifeSize {
		return e, ErrEventID
	}
	e.Life = parts[2]
	var errs [3]error
	e.Stream, errs[0] = strconv.Atoi(parts[0])
	e.Sequence, errs[1] = strconv.Atoi(parts[1])
	if len(parts) == 4 {
		var request []byte
		request, errs[2] = base64.RawURLEncoding.DecodeString(parts[3])
		e.Request = string(request)
		// It becomes part of our message, and came from an unknown sender.
		m, err := message.Parse([]byte(`{"jsonrpc":"2.0","method":"x","id":` + e.Request + `}`))
		if err != nil || m.Kind() != message.Request || string(m.Envelope().ID()) != e.Request {
			errs[2] = ErrEventID
		}
	}
	if errors.Join(errs[:]...) != nil || e.Stream < 0 || e.Sequence < 0 || e.String() != id {
		return EventID{}, ErrEventID
	}
	return e, nil
}
