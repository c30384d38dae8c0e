package backplane

import (
	"context"
	"fmt"
	"time"
)

// Minted records for the given time that the requestState with this name must come back to this instance.
func (i *Instance) Minted(ctx context.Context, name string, life time.Duration) error {
	<-i.said
	if i.down.Load() {
		return errDown
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := i.store.mint(ctx, name, i.name, life); err != nil {
		return fmt.Errorf("tell Redis who issued a requestState: %w", err)
	}
	return nil
}

// Minter returns the other instance that issued the requestState with this name, or "" if that is this instance, or none
// that is known. gone reports that the instance has ended.
func (i *Instance) Minter(ctx context.Context, name string) (owner string, gone bool, err error) {
	if i.down.Load() {
		return "", false, errDown
	}
	peer, err := ask(ctx, func(ctx context.Context) (string, error) { return i.store.minter(ctx, name) })
	if err != nil || peer == "" || peer == i.name {
		return "", false, err
	}
	alive, err := i.lives(ctx, peer)
	if err != nil || !alive {
		return "", err == nil, err
	}
	return peer, false, nil
}
