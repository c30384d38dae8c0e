package pool

import (
	"context"
	"errors"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/policy"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// refuse says why the process is not to see a request, or nil.
func (w *Worker) refuse(ctx context.Context, m *message.Message) *policy.Refusal {
	p := w.server.Policy
	if p == nil {
		return nil
	}
	if refusal := p.Refuse(m, true); refusal != nil || w.tools == nil {
		return refusal
	}
	ctx, cancel := context.WithTimeout(ctx, w.server.StartTimeout)
	defer cancel()
	return w.tools.Admit(ctx, m, w.listTools)
}

// sift cuts out of an answer to a list what the policy keeps from callers.
func (w *Worker) sift(answer *message.Message) {
	if p := w.server.Policy; p != nil {
		if method := w.methodOf(answer); p.Sifts(method) {
			p.Sift(method, answer, w.tools)
		}
	}
}

// methodOf returns the method of the call that an answer is for, or "".
func (w *Worker) methodOf(answer *message.Message) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.callLocked(answer.Envelope().ID()); c != nil {
		return c.method
	}
	return ""
}

// muted reports whether the policy drops a notification.
func (w *Worker) muted(m *message.Message) bool {
	if w.server.Policy == nil {
		return false
	}
	w.tools.Heard(m)
	return w.server.Policy.Mutes(m)
}

// listTools asks the process for its tools, in our own name.
func (w *Worker) listTools(ctx context.Context, cursor []byte) (*message.Message, error) {
	params := ownMeta
	if cursor != nil {
		params += `,"cursor":` + string(cursor)
	}
	m, err := message.Parse([]byte(`{"jsonrpc":"2.0","id":0,"method":"tools/list","params":{` + params + `}}`))
	if err != nil {
		return nil, err
	}
	defer m.Free()
	call, err := w.Send(ctx, m, nil)
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	for {
		switch e, state := call.Take(); {
		case state == stream.Taken && e.Message.Kind() == message.Response:
			return e.Message, nil
		case state == stream.Taken:
			e.Free()
			continue
		case state != stream.Waiting:
			return nil, errors.New("the process has ended")
		}
		select {
		case <-call.Ready():
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
