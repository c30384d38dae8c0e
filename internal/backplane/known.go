package backplane

import (
	"context"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/pace"
)

// remembered returns the owner that Redis has named for a session a moment ago, or "".
func (i *Instance) remembered(name string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	value, ok := i.owners.Get(name)
	if !ok || i.shaky.Load() {
		return ""
	}
	return value
}

func (i *Instance) remember(name, value string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if have, ok := i.owners.Get(name); !ok || have != value {
		i.owners.Put(name, value, time.Now().Add(ownerKnown))
	}
}

// Forget makes Owner ask Redis again for the owner of the session with this name.
func (i *Instance) Forget(name string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.owners.Delete(name)
}

// lives reports whether an instance is alive, or was within peerKnown.
func (i *Instance) lives(ctx context.Context, peer string) (bool, error) {
	i.mu.Lock()
	_, known := i.peers.Get(peer)
	i.mu.Unlock()
	if known && !i.shaky.Load() {
		return true, nil
	}
	alive, settled, err := false, false, error(nil)
	for !alive && !settled && err == nil {
		if settled, err = i.isSettled(ctx); err == nil { // before the question: it may report in between
			alive, err = ask(ctx, func(ctx context.Context) (bool, error) { return i.store.alive(ctx, peer) })
		}
		if !alive && !settled && err == nil {
			err = pace.Wait(ctx, settlePause)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.peers.Delete(peer); alive {
		i.peers.Put(peer, struct{}{}, time.Now().Add(peerKnown))
	}
	return alive, err
}

func (i *Instance) forgetPeer(peer string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.peers.Delete(peer)
	for name, value := range i.owners.All {
		if peerOf(value) == peer {
			i.owners.Delete(name)
		}
	}
}
