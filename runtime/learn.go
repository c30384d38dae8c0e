//go:build mcpfunc_devpage

package mcpfunc

import (
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/process"
)

// maxLearned is how many different refusals of a server are logged.
const maxLearned = 200

// learner logs what a server's sandbox refuses, each once, so that a developer learns what to list. It is nil where no
// developer asks.
func (a *App) learner(spec Server) func(process.Refusal) {
	if a.cfg.devKey == "" || !spec.Sandbox.NoNetwork && !spec.Sandbox.ReadOnly {
		return nil
	}
	var mu sync.Mutex
	told := map[process.Refusal]bool{}
	return func(r process.Refusal) {
		mu.Lock()
		known := told[r] || len(told) == maxLearned
		told[r] = true
		mu.Unlock()
		if !known {
			a.log.Warn("sandbox refused an operation", "server", spec.Name, "key", "sandbox."+r.Key, "tried", r.What, "hint", r.Hint)
		}
	}
}
