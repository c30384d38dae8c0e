package pool

import "github.com/mcpfunc/mcpfunc/internal/message"

// Answer returns the answer to a request for which no process is needed, without what the policy keeps from
// callers; nil if only a process knows it.
func (s *Server) Answer(m *message.Message, caller string) *message.Message {
	if s.Known == nil {
		return nil
	}
	answer := s.Known.Answer(m, caller)
	if answer == nil || s.Policy == nil {
		return answer
	}
	if refusal := s.Policy.Refuse(m, true); refusal != nil {
		answer.Free()
		return refusal.Answer(m.Envelope().ID())
	}
	s.Policy.Sift(m.Envelope().Method(), answer, nil)
	return answer
}
