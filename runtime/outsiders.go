package mcpfunc

import (
	"net"
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/process"
)

// outsiders takes no connection from the processes that the app has started. The Functions host alone checks
// keys, and the handler believes anyone who reaches its port: a server could call others there, with what they may do.
func (a *App) outsiders(l net.Listener) net.Listener {
	return process.PeerListener{Listener: l, Supervisor: a.supervisor, Admit: func(child uint64, ours bool) (func(), bool) {
		if ours {
			a.log.Error("connection of a server to the app refused", "child", child)
		}
		return nil, !ours
	}}
}

// maxTokenConnections is how many connections for tokens the processes of one session may have open, so that a
// server without a right to any does not keep others from theirs.
const maxTokenConnections = 16

// tokenShares gives each child of the app its share of the connections for tokens.
func (a *App) tokenShares(l net.Listener) net.Listener {
	var mu sync.Mutex
	open := map[uint64]int{}
	return process.PeerListener{Listener: l, Supervisor: a.supervisor, Admit: func(child uint64, ours bool) (func(), bool) {
		mu.Lock()
		full := ours && open[child] >= maxTokenConnections
		if !full {
			open[child]++
		}
		mu.Unlock()
		if full {
			a.log.Warn("too many token connections of a server; one closed", "child", child, "limit", maxTokenConnections)
			return nil, false
		}
		return func() {
			mu.Lock()
			defer mu.Unlock()
			if open[child]--; open[child] == 0 {
				delete(open, child)
			}
		}, true
	}}
}
