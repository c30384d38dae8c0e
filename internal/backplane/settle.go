package backplane

import (
	"context"
	"time"
)

// settle is how long after Redis has lost its data every instance has recorded again what it owns.
const settle = 3 * time.Second

// settlePause is the time between questions to a Redis that has lost its data.
const settlePause = 250 * time.Millisecond

// settle returns when a session without an owner in Redis does not have one: when every instance that is alive has had
// the time to record what it owns, even if Redis has lost its data.
func (i *Instance) settle(ctx context.Context) error {
	for {
		if settled, err := i.isSettled(ctx); settled || err != nil {
			return err
		}
		if err := wait(ctx, settlePause); err != nil {
			return err
		}
	}
}

func (i *Instance) isSettled(ctx context.Context) (bool, error) {
	if i.settled.Load() {
		return true, nil
	}
	age, err := ask(ctx, i.store.age)
	return age >= settle, err // live records it
}
