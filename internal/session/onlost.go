package session

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// OnLost says what becomes of a session whose process is gone, and with it all that the process
// remembered, or is on another instance.
type OnLost string

// What may become of it. The empty one is Resurrect for a server whose tools all say that they are
// read-only or idempotent, and NotFound for any other.
const (
	Resurrect OnLost = "resurrect" // another process takes it over, and the client does not notice
	Notify    OnLost = "notify"    // the same, and the client is told that what it knows may have changed
	NotFound  OnLost = "404"       // the client is to begin anew
)

const (
	maxPages    = 64        // of a list of tools
	goodVerdict = time.Hour // after which the tools may be others
)

// A leave says whether sessions of a server may be resurrected. It is good until until; zero for
// ever.
type leave struct {
	granted bool
	until   time.Time
}

// mayReturn says whether sessions of server may be resurrected, as far as it is known without asking
// a process.
func (t *Table) mayReturn(server *Server) (granted, known bool) {
	switch server.OnLost {
	case Resurrect, Notify:
		return true, true
	case NotFound:
		return false, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.leaves[server.identity()]
	if ok && !l.until.IsZero() && !time.Now().Before(l.until) {
		return false, false
	}
	return l.granted, ok
}

// only returns when the caller may ask a process of server for its leave, which one does at a time: a
// process for each of many sessions would be too many to find out the same. It returns at once if
// nobody has to ask. done must be called then. It waits for as long as two processes may take to start
// and to be asked, so that one that does not answer is not waited for by all, one after the other.
func (t *Table) only(server *Server) (done func(), err error) {
	if _, known := t.mayReturn(server); known {
		return func() {}, nil
	}
	t.mu.Lock()
	turn := t.asking[server.identity()]
	if turn == nil {
		turn = make(chan struct{}, 1)
		t.asking[server.identity()] = turn
	}
	t.mu.Unlock()
	late := time.NewTimer(4 * server.StartTimeout)
	defer late.Stop()
	select {
	case turn <- struct{}{}:
	case <-t.ctx.Done():
		return nil, ErrClosed
	case <-late.C:
		return nil, &Failure{Text: "it takes long to find out whether another process may take this session over; try again soon", Reason: ReasonUnsure, Retryable: true}
	}
	done = func() { <-turn }
	granted, known := t.mayReturn(server)
	if !known {
		return done, nil
	}
	done()
	if !granted {
		return nil, ErrUnknown
	}
	return func() {}, nil
}

// askLeave is mayReturn with the help of s, whose process is asked for its tools if nobody has asked
// before. When it does not say, sessions are not resurrected, and the next one asks again. That they
// may not be is never asked again: finding out costs a process.
func (s *Session) askLeave(ctx context.Context) bool {
	granted, known := s.table.mayReturn(s.server)
	if known {
		return granted
	}
	ctx, cancel := context.WithTimeout(ctx, s.server.StartTimeout)
	defer cancel()
	granted, err := s.harmless(ctx)
	if err != nil {
		s.log.Warn("the server does not say what its tools do, so that its session is not taken over", "error", err)
		return false
	}
	l := leave{granted: granted}
	if granted {
		l.until = time.Now().Add(goodVerdict)
	}
	s.table.mu.Lock()
	s.table.leaves[s.server.identity()] = l
	s.table.mu.Unlock()
	s.log.Info("asked the server for its tools to know whether another process may take over a session", "may", granted)
	return granted
}

// toolPage is what we read of an answer to tools/list.
type toolPage struct {
	Result struct {
		Tools []struct {
			Annotations struct {
				ReadOnlyHint   bool `json:"readOnlyHint"`
				IdempotentHint bool `json:"idempotentHint"`
			} `json:"annotations"`
		} `json:"tools"`
		NextCursor string `json:"nextCursor"`
	} `json:"result"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

const codeNoMethod = -32601 // JSON-RPC 2.0, "Error object"

// harmless reports whether there are tools and all say that they are read-only or idempotent (MCP
// 2025-11-25, schema, "ToolAnnotations"). These are hints, and no proof that the process remembers
// nothing; a server whose author says nothing is not taken for one of that kind.
func (s *Session) harmless(ctx context.Context) (bool, error) {
	cursor, some := "{}", false
	for page := range maxPages {
		answer, err := s.query(ctx, fmt.Sprintf(`{"jsonrpc":"2.0","id":"mcpfunc-tools-%d","method":"tools/list","params":%s}`, page, cursor))
		if err != nil {
			return false, err
		}
		var got toolPage
		err = json.Unmarshal(answer.Bytes(), &got)
		answer.Free()
		switch {
		case err != nil:
			return false, fmt.Errorf("list of tools: %w", err)
		case got.Error != nil && got.Error.Code == codeNoMethod:
			return false, nil
		case got.Error != nil:
			return false, fmt.Errorf("list of tools: %s", s.table.redact(got.Error.Message))
		}
		for _, tool := range got.Result.Tools {
			if !tool.Annotations.ReadOnlyHint && !tool.Annotations.IdempotentHint {
				return false, nil
			}
			some = true
		}
		if got.Result.NextCursor == "" {
			return some, nil
		}
		next, _ := json.Marshal(got.Result.NextCursor)
		cursor = `{"cursor":` + string(next) + `}`
	}
	return false, nil
}

// query sends a request of ours and returns its answer. It takes no part in where other messages go.
func (s *Session) query(ctx context.Context, text string) (*message.Message, error) {
	m, err := message.Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	r, err := s.Send(ctx, []*message.Message{m}, ByAnswer)
	if err != nil {
		return nil, err
	}
	defer r.Leave()
	for {
		e, state := r.Take()
		switch state {
		case Taken:
			return e.Message, nil
		case Ended, Cut:
			return nil, errGone
		}
		select {
		case <-r.Ready():
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
