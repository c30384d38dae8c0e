package backplane

import (
	"context"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/pace"
)

// After an outage of Redis, instances that are alive look dead until they have reported again, and what they own may be
// unknown.
const (
	outage      = SignOfLife - 2*beat    // without a report of any instance: shorter ones make no instance look dead
	settle      = 3 * time.Second        // after which every instance has reported, and recorded what it owns
	settlePause = 250 * time.Millisecond // between questions until then
)

// settle returns when a session without an owner in Redis does not have one, and an instance that looks dead is dead.
func (i *Instance) settle(ctx context.Context) error {
	for {
		if settled, err := i.isSettled(ctx); settled || err != nil {
			return err
		}
		if err := pace.Wait(ctx, settlePause); err != nil {
			return err
		}
	}
}

func (i *Instance) isSettled(ctx context.Context) (bool, error) {
	if i.settled.Load() {
		return true, nil
	}
	up, err := ask(ctx, i.store.up)
	return up >= settle, err // live records it
}

// unsettle is called when this instance has connected to Redis, which may be another server now: a replica without what was
// written last.
func (i *Instance) unsettle() {
	i.settled.Store(false)
	i.doubt()
	rouse(i.chore)
}
