package session

import (
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// firstStarts remember why the last start of what a package runner runs failed, until one succeeds. A
// first start may outlive the calls that wait for it, and the next caller has to hear how it ended.
type firstStarts struct {
	mu     sync.Mutex
	failed map[string]failedStart // by Spec.Runner, of which there are as many as servers
}

type failedStart struct {
	why child.Failure
	of  ticket.Holder // whose process it was: what it printed is only for this holder
}

// note keeps f, the end of l's process, if it was a first start that has not answered.
func (fs *firstStarts) note(l *link, f *child.Failure) {
	s := l.s
	select {
	case <-l.Answered():
		return
	default:
	}
	if l.Stopped() || s.table.starter.Patience(s.server.Spec) == 0 {
		return // we ended it, or there is nothing to download
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.failed == nil {
		fs.failed = map[string]failedStart{}
	}
	fs.failed[s.server.Runner] = failedStart{*f, holder(s.Key)}
}

// failure returns why the last first start of s's server failed, or nil if none did, or one has
// succeeded since.
func (fs *firstStarts) failure(s *Session) *child.Failure {
	if s.table.starter.Patience(s.server.Spec) == 0 {
		return nil
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	last, ok := fs.failed[s.server.Runner]
	if !ok {
		return nil
	}
	f := last.why
	if last.of != holder(s.Key) {
		f.Stderr = nil
	}
	return &f
}

// stillStarting is the failure of a call that has waited for the process of s for as long as it may.
func (fs *firstStarts) stillStarting(s *Session) *child.Failure {
	f := child.StillStarting(s.server.StartTimeout)
	if last := fs.failure(s); last != nil {
		f.Text = "the server is still starting after " + s.server.StartTimeout.String()
		blame(f, last)
	}
	return f
}

// blame adds to f, which says that a start takes too long, how the one before it failed.
func blame(f, last *child.Failure) {
	f.Text += "; the previous start failed: " + last.Text
	f.ExitCode, f.Signal = last.ExitCode, last.Signal
	if len(f.Stderr) == 0 {
		f.Stderr = last.Stderr
	}
	f.Hint = last.Hint
}
