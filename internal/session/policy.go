package session

import (
	"context"
	"fmt"

	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/policy"
)

// siftLocked ensures that what the policy keeps from callers is cut out of the answer to p, before anyone
// has it: on streams, in what can be resumed, and in what other instances pass on.
func (l *link) siftLocked(p *pending) {
	if pol := l.s.server.Policy; pol != nil && pol.Sifts(p.method) {
		p.record = func(answer *message.Message) { pol.Sift(p.method, answer, l.inventory) }
	}
}

// muted reports whether the policy drops a message of the process.
func (l *link) muted(m *message.Message) bool {
	if l.s.server.Policy == nil {
		return false
	}
	l.inventory.Heard(m)
	return l.s.server.Policy.Mutes(m)
}

// refused reports whether the process is not to see m. If m is a request, which is that of requests with this
// index, it is answered.
func (l *link) refused(ctx context.Context, m *message.Message, requests []*pending, index int) bool {
	refusal := l.s.server.Policy.Refuse(m, false)
	asked := refusal == nil && l.inventory != nil
	if asked {
		ctx, cancel := context.WithTimeout(ctx, l.s.server.StartTimeout)
		refusal = l.inventory.Admit(ctx, m, l.s.listTools)
		cancel()
	}
	if refusal == nil && !asked {
		return false
	}
	if m.Kind() != message.Request {
		if refusal != nil {
			l.s.log.Warn("client notification refused", "method", m.Envelope().Method(), "why", refusal.Text)
		}
		return refusal != nil
	}
	return l.answerRefused(requests[index], refusal)
}

// answerRefused answers p with a refusal, if there is one. It reports whether p must not be sent: it is
// answered, or was in the meantime.
func (l *link) answerRefused(p *pending, refusal *policy.Refusal) bool {
	l.s.mu.Lock()
	defer unlock(l.s)
	if !l.s.router.waits(p) {
		return true
	}
	if refusal == nil {
		return false
	}
	answer := refusal.Answer([]byte(p.id))
	l.s.router.ended(p, calls.Outcome{Kind: calls.Refused, Code: refusal.Code, Reason: "policy", Out: answer.Len()})
	l.s.router.answer(p, answer)
	return true
}

// listTools asks the process for its tools, in our own name.
func (s *Session) listTools(ctx context.Context, cursor []byte) (*message.Message, error) {
	params := `{}`
	if cursor != nil {
		params = `{"cursor":` + string(cursor) + `}`
	}
	m, err := message.Parse(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":"mcpfunc-tools-%d","method":"tools/list","params":%s}`, s.listings.Add(1)-1, params))
	if err != nil {
		return nil, err
	}
	return query(ctx, s, m)
}
