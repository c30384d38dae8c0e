package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/recent"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// OnLost says what becomes of a session whose process is gone, and with it all that the process
// remembered, or is on another instance.
type OnLost string

// What may become of it. The empty one is Resurrect for a server whose tools all say that they are
// read-only or idempotent, and NotFound for any other.
const (
	Resurrect OnLost = "resurrect" // another process takes it over, and the client does not notice
	Notify    OnLost = "notify"    // the same, and the client is told that what it knows may have changed
	NotFound  OnLost = "404"       // the client must initialize again
)

const (
	maxPages      = 64        // of a list of tools
	permissionAge = time.Hour // after which the tools may be others
	maxServers    = 1 << 10   // whose permissions are remembered: more than an app has
)

// permissions say whether sessions of a server may be taken over.
type permissions struct {
	mu      sync.Mutex
	granted recent.Map[string, bool] // by Spec.ID
	asking  map[string]chan struct{} // held while a process of a server is asked; capacity 1
}

func newPermissions() *permissions {
	return &permissions{granted: recent.Map[string, bool]{Max: maxServers}, asking: map[string]chan struct{}{}}
}

// of says whether sessions of server may be taken over, as far as it is known without asking a process.
func (ps *permissions) of(server *Server) (granted, known bool) {
	switch server.OnLost {
	case Resurrect, Notify:
		return true, true
	case NotFound:
		return false, true
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.granted.Get(server.Spec.ID())
}

// acquire returns when the caller may ask a process of server, which one does at a time: a process for
// each of many sessions would be too many to find out the same. It returns at once if there is nothing to ask.
// release must be called then. It waits for as long as two processes may take to start and to be asked,
// so that one that does not answer is not waited for by all, one after the other. It fails with
// ErrUnknown if the permission is not given, a *child.Failure or ctx's error.
func (ps *permissions) acquire(ctx context.Context, server *Server) (release func(), err error) {
	if _, known := ps.of(server); known {
		return func() {}, nil
	}
	asking := ps.askingOf(server)
	late := time.NewTimer(4 * server.StartTimeout)
	defer late.Stop()
	select {
	case asking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		return nil, &child.Failure{Text: "checking whether another process may take over this session takes long; try again soon", Reason: child.ReasonUnsure, Retryable: true}
	}
	release = func() { <-asking }
	granted, known := ps.of(server)
	if !known {
		return release, nil
	}
	release()
	if !granted {
		return nil, ErrUnknown
	}
	return func() {}, nil
}

func (ps *permissions) askingOf(server *Server) chan struct{} {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	asking := ps.asking[server.Spec.ID()]
	if asking == nil {
		asking = make(chan struct{}, 1)
		ps.asking[server.Spec.ID()] = asking
	}
	return asking
}

// ask is of with the help of s, whose process is asked for its tools unless it was asked before. When it
// does not say, sessions are not taken over, and the next one asks again. That they may not be is never
// asked again: finding out costs a process.
func (ps *permissions) ask(ctx context.Context, s *Session) bool {
	granted, known := ps.of(s.server)
	if known {
		return granted
	}
	ctx, cancel := context.WithTimeout(ctx, s.server.StartTimeout)
	defer cancel()
	granted, err := harmless(ctx, s)
	if err != nil {
		s.log.Warn("session not taken over: the server does not say what its tools do", "error", err)
		return false
	}
	var until time.Time // never
	if granted {
		until = time.Now().Add(permissionAge)
	}
	ps.mu.Lock()
	ps.granted.Put(s.server.Spec.ID(), granted, until)
	ps.mu.Unlock()
	s.log.Info("asked the server for its tools to decide whether a session may be taken over", "may", granted)
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

// harmless reports whether all tools say that they are read-only or idempotent (MCP 2025-11-25, schema,
// "ToolAnnotations"). These are hints, and no proof that the process remembers nothing; a server whose
// author says nothing is not taken for one of that kind. Where there are no tools the server must not
// announce any either: what it has then, prompts and resources, is read.
func harmless(ctx context.Context, s *Session) (bool, error) {
	announced := announcesTools(s)
	var cursor []byte
	some := !announced
	for range maxPages {
		answer, err := s.listTools(ctx, cursor)
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
			return !announced, nil
		case got.Error != nil:
			return false, fmt.Errorf("list of tools: %s", s.table.starter.Redact(s.Caller, got.Error.Message))
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
		cursor, _ = json.Marshal(got.Result.NextCursor) // a string
	}
	return false, nil
}

// announcesTools reports whether the process says that it has tools.
func announcesTools(s *Session) bool {
	var can struct{ Tools *struct{} }
	s.mu.Lock()
	capabilities := s.handshake.capabilities
	s.mu.Unlock()
	return json.Unmarshal(capabilities, &can) != nil || can.Tools != nil
}

// query sends a request of ours, which it takes over, and returns its answer. It takes no part in where other
// messages go.
func query(ctx context.Context, s *Session, m *message.Message) (*message.Message, error) {
	r, err := s.Send(ctx, []*message.Message{m}, AnswersOnly)
	if err != nil {
		return nil, err
	}
	defer r.Leave()
	for {
		e, state := r.Take()
		switch state {
		case stream.Taken:
			return e.Message, nil
		case stream.Ended, stream.Cut:
			return nil, errors.New("the session has ended")
		}
		select {
		case <-r.Ready():
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
