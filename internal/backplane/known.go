package backplane

import (
	"context"
	"time"
)

// known is an owner that Redis has named, and how long that is good.
type known struct {
	value string
	until time.Time
}

func (i *Instance) remembered(name string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	k, ok := i.owners[name]
	if !ok || i.shaky.Load() || time.Now().After(k.until) {
		return ""
	}
	return k.value
}

func (i *Instance) remember(name, value string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.owners) >= maxOwners {
		clear(i.owners)
	}
	if k := i.owners[name]; k.value != value || time.Now().After(k.until) {
		i.owners[name] = known{value, time.Now().Add(ownerKnown)}
	}
}

// Forget makes Owner ask Redis again for the owner of the session with this name.
func (i *Instance) Forget(name string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.owners, name)
}

// lives reports whether an instance is alive, or was within peerKnown.
func (i *Instance) lives(ctx context.Context, peer string) (bool, error) {
	i.mu.Lock()
	until := i.peers[peer]
	i.mu.Unlock()
	if time.Now().Before(until) && !i.shaky.Load() {
		return true, nil
	}
	alive, settled, err := false, false, error(nil)
	for !alive && !settled && err == nil {
		if settled, err = i.isSettled(ctx); err == nil { // before the question: it may report in between
			alive, err = ask(ctx, func(ctx context.Context) (bool, error) { return i.store.alive(ctx, peer) })
		}
		if !alive && !settled && err == nil {
			err = wait(ctx, settlePause)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if delete(i.peers, peer); alive {
		if len(i.peers) >= maxOwners {
			clear(i.peers)
		}
		i.peers[peer] = time.Now().Add(peerKnown)
	}
	return alive, err
}

func (i *Instance) forgetPeer(peer string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.peers, peer)
	for name, k := range i.owners {
		if peerOf(k.value) == peer {
			delete(i.owners, name)
		}
	}
}
